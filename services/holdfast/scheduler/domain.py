"""What is due: the timetable, and what is said about it."""

import heapq
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from holdfast.events.due import BackupDue, PruneDue
from holdfast.events.queries import ScheduleEntry
from holdfast.kernel.ids import derived_id
from holdfast.scheduler.cron import Schedule, missed, next_due, parse

Key = tuple[str, UUID]
"""Kind and id: whose schedule it is."""


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """One thing whose time has come."""

    kind: str
    id: UUID
    scheduled_for: datetime
    coalesced: tuple[datetime, ...] = ()
    """Earlier times that passed unused, oldest first."""


def due_from(kind: str, id: UUID, times: tuple[datetime, ...]) -> Due:
    """One due thing for all the times that passed: the newest counts, it stands for the others.

    Somebody whose machine was off for a week wants one backup now, not seven.
    """
    return Due(kind=kind, id=id, scheduled_for=times[-1], coalesced=times[:-1])


def event_of(due: Due, now: datetime) -> BackupDue | PruneDue:
    """What is said.  The id depends on kind, id and time alone: whoever says it says the same."""
    event_id = derived_id(due.kind, due.id, due.scheduled_for.isoformat())
    if due.kind == "prune":
        return PruneDue(
            event_id=event_id,
            occurred_at=now,
            destination_id=due.id,
            scheduled_for=due.scheduled_for,
        )
    return BackupDue(
        event_id=event_id,
        occurred_at=now,
        configuration_id=due.id,
        scheduled_for=due.scheduled_for,
        coalesced=due.coalesced,
    )


class Slot(msgspec.Struct, kw_only=True):
    """One entry's place in the timetable."""

    schedule: Schedule
    next_at: datetime | None


class Timetable:
    """Who is due when, and what was fired.  It reads no clock and says nothing.

    A heap finds the next one; a place in it that is out of date is skipped when it comes up.
    """

    def __init__(self) -> None:
        self._slots: dict[Key, Slot] = {}
        self._after: dict[Key, datetime] = {}
        self._heap: list[tuple[datetime, str, UUID]] = []

    def __len__(self) -> int:
        return len(self._slots)

    def put(self, entry: ScheduleEntry) -> None:
        """Add an entry, or take over what changed.  Raises InvalidScheduleError.

        Its ``after`` only grows here: the catalog's record may be older than what was
        just fired, and a time must not be fired twice.
        """
        key = (entry.kind, entry.id)
        schedule = parse(entry.schedule, entry.timezone)
        after = max(entry.after, self._after.get(key, entry.after))
        self._after[key] = after
        slot = self._slots.get(key)
        if slot is not None and slot.schedule == schedule and _still(slot.next_at, after):
            return
        self._place(key, schedule)

    def keep_only(self, keys: Iterable[Key]) -> None:
        """Drop what is not among *keys*.  What was fired is remembered: it may come back."""
        for key in self._slots.keys() - set(keys):
            del self._slots[key]

    def next_at(self) -> datetime | None:
        """When the next one is due; None when nothing ever is."""
        while self._heap:
            at, kind, id = self._heap[0]
            slot = self._slots.get((kind, id))
            if slot is not None and slot.next_at == at:
                return at
            heapq.heappop(self._heap)
        return None

    def due(self, now: datetime, most: int) -> tuple[Due, ...]:
        """Up to *most* that are due, longest due first.  Each stays due until ``fired``."""
        ready: list[tuple[datetime, str, UUID]] = []
        while len(ready) < most and (at := self.next_at()) is not None and at <= now:
            place = heapq.heappop(self._heap)
            if place not in ready[-1:]:
                ready.append(place)
        for place in ready:
            heapq.heappush(self._heap, place)
        return tuple(self._due_from(place, now) for place in ready)

    def _due_from(self, place: tuple[datetime, str, UUID], now: datetime) -> Due:
        at, kind, id = place
        times = missed(self._slots[kind, id].schedule, self._after[kind, id], now)
        return due_from(kind, id, times or (at,))

    def fired(self, due: Due) -> None:
        """It was said and kept by the stream: only later times count from now on."""
        key = (due.kind, due.id)
        self._after[key] = max(due.scheduled_for, self._after.get(key, due.scheduled_for))
        slot = self._slots.get(key)
        if slot is not None and not _still(slot.next_at, self._after[key]):
            self._place(key, slot.schedule)

    def _place(self, key: Key, schedule: Schedule) -> None:
        at = next_due(schedule, self._after[key])
        self._slots[key] = Slot(schedule=schedule, next_at=at)
        if at is not None:
            heapq.heappush(self._heap, (at, *key))


def _still(next_at: datetime | None, after: datetime) -> bool:
    """Whether a next time that was computed before is the next one after *after*, too."""
    return next_at is None or next_at > after
