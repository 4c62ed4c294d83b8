"""``restic ls``: the files of a snapshot, as a stream."""

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime

import msgspec

from holdfast.restic.errors import ResticOutputError, error_of
from holdfast.restic.process import Restic, Running


class LsOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What to list."""

    snapshot: str
    paths: tuple[str, ...] = ()
    """Directories to list, each without what lies deeper; nothing means everything."""
    recursive: bool = False
    lock: bool = False


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A file or directory in a snapshot, under restic's own names.

    A byte that is not UTF-8 is U+FFFD in ``name`` and ``path``.
    """

    name: str
    path: str
    type: str
    """file, dir, symlink, dev, chardev, fifo, socket or irregular."""
    size: int = 0
    mode: int = 0
    permissions: str = ""
    uid: int = 0
    gid: int = 0
    mtime: datetime | None = None


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A whole snapshot, as it is read."""

    tree: str
    """restic's id of its content."""
    nodes: AsyncIterator[Node]
    """Each folder before what is in it, and all of that before its next sibling.  To be read
    once; raises when restic fails."""


class _Line(msgspec.Struct, frozen=True):
    message_type: str = ""
    struct_type: str = ""  # the older name, alone before 0.17


class _Snapshot(_Line, frozen=True):
    tree: str = ""


def argv(options: LsOptions) -> tuple[str, ...]:
    """restic's arguments."""
    argv = ["ls"] if options.lock else ["ls", "--no-lock"]
    if options.recursive:
        argv.append("--recursive")
    return (*argv, "--", options.snapshot, *options.paths)


@contextlib.asynccontextmanager
async def open_stream(restic: Restic, options: LsOptions) -> AsyncIterator[AsyncIterator[Node]]:
    """The nodes, as they come; leaving the block early ends restic.

    The iterator raises SnapshotNotFoundError and others when restic fails.
    """
    async with restic.start(argv(options)) as running:
        yield _nodes(running, running.lines())


@contextlib.asynccontextmanager
async def open_listing(restic: Restic, snapshot: str) -> AsyncIterator[Listing]:
    """All of a snapshot; leaving the block early ends restic.

    Raises SnapshotNotFoundError and others.
    """
    async with restic.start(argv(LsOptions(snapshot=snapshot))) as running:
        lines = running.lines()
        first = await anext(lines, None)
        if first is None:
            finished = await running.finish()
            raise error_of(finished.exit_code, finished.tail)
        yield Listing(tree=_tree(first), nodes=_nodes(running, lines))


async def _nodes(running: Running, lines: AsyncIterator[bytes]) -> AsyncIterator[Node]:
    async for line in lines:
        node = _node(line)
        if node is not None:
            yield node
    finished = await running.finish()
    if finished.exit_code != 0:
        raise error_of(finished.exit_code, finished.tail)


async def run(restic: Restic, options: LsOptions) -> tuple[Node, ...]:
    """All nodes at once: for a directory, not for a snapshot of a million files."""
    async with open_stream(restic, options) as nodes:
        return tuple([node async for node in nodes])


_line = msgspec.json.Decoder(_Line)
_snapshot = msgspec.json.Decoder(_Snapshot)
_whole = msgspec.json.Decoder(Node)


def _tree(line: bytes) -> str:
    try:
        tree = _snapshot.decode(line).tree
        if not tree:
            raise ResticOutputError("restic told no tree of the snapshot.")
        return tree
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ResticOutputError(detail=f"{error}: {line[:200]!r}") from error


def _node(line: bytes) -> Node | None:
    try:
        kind = _line.decode(line)
        return _whole.decode(line) if "node" in (kind.message_type, kind.struct_type) else None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ResticOutputError(detail=f"{error}: {line[:200]!r}") from error
