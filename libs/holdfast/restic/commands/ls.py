"""``restic ls``: the files of a snapshot, as a stream."""

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime

import msgspec

from holdfast.restic.errors import ResticOutputError, error_of
from holdfast.restic.process import Restic


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


class _Line(msgspec.Struct, frozen=True):
    message_type: str = ""
    struct_type: str = ""  # the older name, alone before 0.17


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

        async def nodes() -> AsyncIterator[Node]:
            async for line in running.lines():
                node = _node(line)
                if node is not None:
                    yield node
            finished = await running.finish()
            if finished.exit_code != 0:
                raise error_of(finished.exit_code, finished.tail)

        yield nodes()


async def run(restic: Restic, options: LsOptions) -> tuple[Node, ...]:
    """All nodes at once: for a directory, not for a snapshot of a million files."""
    async with open_stream(restic, options) as nodes:
        return tuple([node async for node in nodes])


_line = msgspec.json.Decoder(_Line)
_whole = msgspec.json.Decoder(Node)


def _node(line: bytes) -> Node | None:
    try:
        kind = _line.decode(line)
        return _whole.decode(line) if "node" in (kind.message_type, kind.struct_type) else None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ResticOutputError(detail=f"{error}: {line[:200]!r}") from error
