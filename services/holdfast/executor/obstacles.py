"""What a restore would change of the files that are there already."""

import os
import posixpath
import stat
from collections.abc import Sequence
from pathlib import Path

import msgspec

from holdfast.executor.attempt import in_thread
from holdfast.executor.domain import NAMES_TOLD
from holdfast.restic import Restic
from holdfast.restic.commands import ls, restore
from holdfast.restic.commands.ls import LsOptions, Node
from holdfast.restic.commands.restore import Overwrite, RestoreOptions
from holdfast.restic.errors import RestoreIncompleteError
from holdfast.restic.messages import VerboseStatus

AT_ONCE = 500
"""So many files are looked at in one go in a thread."""

KINDS = {
    "file": stat.S_ISREG,
    "dir": stat.S_ISDIR,
    "symlink": stat.S_ISLNK,
    "fifo": stat.S_ISFIFO,
    "socket": stat.S_ISSOCK,
    "dev": stat.S_ISBLK,
    "chardev": stat.S_ISCHR,
}


class Obstacles(msgspec.Struct, kw_only=True):
    """The first few paths that are in the way, and how many there are."""

    names: list[str] = []
    count: int = 0

    def add(self, name: str) -> None:
        self.count += 1
        if len(self.names) < NAMES_TOLD:
            self.names.append(name)


class Target:
    """The directory that a restore goes to."""

    def __init__(self, path: str) -> None:
        self.path = path

    def may_be_directory(self) -> bool:
        """Whether it is one, or does not exist yet."""
        path = Path(self.path)
        return path.is_dir() or not os.path.lexists(path)

    def is_full(self) -> bool:
        """Whether there is something that could be in the way."""
        try:
            return bool(os.listdir(self.path))
        except (FileNotFoundError, NotADirectoryError):
            return False

    def make(self) -> None:
        """Be there."""
        Path(self.path).mkdir(parents=True, exist_ok=True)

    def place_of(self, item: str) -> str:
        """Where a path of the snapshot goes."""
        return f"{self.path.rstrip('/')}/{item.lstrip('/')}"


async def obstacles(
    restic: Restic, snapshot: str, wanted: Sequence[str], target: Target
) -> Obstacles:
    """What of *target* would be changed by restoring *wanted*.

    restic's dry run tells which files have another content.  It does not tell that a
    directory, link or file stands where one of another kind would go, so that is looked at
    here.  A link that points elsewhere is not found: it is left as it is.  But right above a
    file, restic puts a folder in the place of a link.
    """
    found = Obstacles()
    named = set(wanted)
    options = LsOptions(snapshot=snapshot, paths=tuple(wanted), recursive=bool(wanted))
    async with ls.open_stream(restic, options) as nodes:
        batch: list[Node] = []
        async for node in nodes:
            batch.append(node)
            if node.path in named and node.type != "dir":
                above = posixpath.dirname(node.path)
                batch.append(Node(name=posixpath.basename(above), path=above, type="dir"))
            if len(batch) >= AT_ONCE:
                await _look(batch, target, found)
                batch = []
        await _look(batch, target, found)
    if not found.count:
        await _dry_run(restic, snapshot, wanted, target, found)
    return found


async def _dry_run(
    restic: Restic, snapshot: str, wanted: Sequence[str], target: Target, found: Obstacles
) -> None:
    def on_action(status: VerboseStatus) -> None:
        if status.action == "updated":
            found.add(target.place_of(status.item))

    options = RestoreOptions(
        snapshot=snapshot,
        target=target.path,
        include=tuple(wanted),
        # A file that an earlier restore could not write whole looks right but for its content.
        overwrite=Overwrite.ALWAYS,
        dry_run=True,
    )
    try:
        await restore.run(restic, options, on_action=on_action)
    except RestoreIncompleteError as error:
        # What it could not even look at is in the way for certain.
        for name in error.failed_files:
            found.add(name)


async def _look(nodes: list[Node], target: Target, found: Obstacles) -> None:
    for name in await in_thread(lambda: _of_another_kind(nodes, target)):
        found.add(name)


def _of_another_kind(nodes: list[Node], target: Target) -> list[str]:
    names = []
    for node in nodes:
        place = target.place_of(node.path)
        try:
            mode = os.lstat(place).st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        fits = KINDS.get(node.type)
        if fits is not None and not fits(mode):
            names.append(place)
    return names
