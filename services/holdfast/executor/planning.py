"""What a restore would do, as restic's dry run tells it."""

import posixpath
from collections import Counter
from collections.abc import Sequence

from holdfast.events.restoring import PlannedFile, RestorePlan
from holdfast.executor.obstacles import Obstacles
from holdfast.restic import Restic
from holdfast.restic.commands import ls
from holdfast.restic.commands.ls import LsOptions
from holdfast.restic.messages import VerboseStatus

NAMED = 1000
"""So many files are named, cut off where their names get too long for the bus."""

NAMED_BYTES = 300_000


class Planned:
    """Counts, and the first names.

    restic says of every folder that it is restored, also of one that is there: they are left out.
    """

    def __init__(self, folders: set[str]) -> None:
        self._folders = folders
        self._counts: Counter[str] = Counter()
        self._sizes: Counter[str] = Counter()
        self._files: list[PlannedFile] = []
        self._bytes = 0

    def add(self, status: VerboseStatus) -> None:
        """One of restic's words on a file."""
        if status.item in self._folders:
            return
        self._counts[status.action] += 1
        self._sizes[status.action] += status.size
        if status.action == "unchanged":
            return
        self._bytes += len(status.item) + 60
        if len(self._files) < NAMED and self._bytes < NAMED_BYTES:
            self._files.append(
                PlannedFile(path=status.item, action=status.action, size=status.size)
            )

    def plan(self, in_the_way: Obstacles) -> RestorePlan:
        """All of it."""
        return RestorePlan(
            restored=self._counts["restored"],
            restored_bytes=self._sizes["restored"],
            updated=self._counts["updated"],
            updated_bytes=self._sizes["updated"],
            unchanged=self._counts["unchanged"],
            unchanged_bytes=self._sizes["unchanged"],
            files=tuple(self._files),
            in_the_way=tuple(in_the_way.names),
            in_the_way_count=in_the_way.count,
        )


async def folders_of(restic: Restic, snapshot: str, wanted: Sequence[str]) -> set[str]:
    """The folders of what is wanted, and those above it."""
    found = set()
    for path in wanted:
        while path != "/":
            path = posixpath.dirname(path)
            found.add(path)
    options = LsOptions(snapshot=snapshot, paths=tuple(wanted), recursive=bool(wanted))
    async with ls.open_stream(restic, options) as nodes:
        async for node in nodes:
            if node.type == "dir":
                found.add(node.path)
    return found
