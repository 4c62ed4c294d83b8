"""What a restore would do, as restic's dry run tells it."""

from collections import Counter

from holdfast.events.restoring import PlannedFile, RestorePlan
from holdfast.executor.obstacles import Obstacles
from holdfast.restic.messages import VerboseStatus

NAMED = 1000
"""So many files are named, cut off where their names get too long for the bus."""

NAMED_BYTES = 300_000


class Planned:
    """Counts, and the first names."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._files: list[PlannedFile] = []
        self._bytes = 0

    def add(self, status: VerboseStatus) -> None:
        """One of restic's words on a file."""
        self._counts[status.action] += 1
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
            updated=self._counts["updated"],
            unchanged=self._counts["unchanged"],
            files=tuple(self._files),
            in_the_way=tuple(in_the_way.names),
            in_the_way_count=in_the_way.count,
        )
