"""What is due: the timetable, and what is said about it."""

import heapq
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from holdfast.events.due import BackupDue, CheckDue, DrillDue, DueTimes, PruneDue
from holdfast.events.queries import ScheduleEntry
from holdfast.kernel.ids import derived_id
from holdfast.schedule import Rules, newest_due, passed, rules_of

Key = tuple[str, UUID]
"""Kind and id: whose schedule it is."""


AHEAD = timedelta(minutes=1)
"""A time that lies further in the future than two clocks differ was written by a clock that
had jumped."""

MOST_TOLD = 1000
"""How many due times one event tells of; of more, several events do."""

MOST_AT_ONCE = 5000
"""How many due times are looked up before somebody else gets a turn."""


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """One thing whose time has come."""

    kind: str
    id: UUID
    scheduled_for: datetime
    coalesced: tuple[datetime, ...] = ()
    """Earlier times that passed unused, oldest first."""
    more: bool = False
    """Later ones have passed, too, and are told next."""


DESTINATION_EVENTS: dict[str, type[PruneDue] | type[CheckDue]] = {
    "prune": PruneDue,
    "check": CheckDue,
}
"""What is due of a destination, by kind."""

ALONE = frozenset((*DESTINATION_EVENTS, "drill"))
"""Kinds of which each is said alone; of the times that passed the newest is enough."""


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """One event, and what it tells of."""

    event: BackupDue | PruneDue | CheckDue | DrillDue
    due: tuple[Due, ...]


def words_of(due: Sequence[Due], now: datetime) -> tuple[Word, ...]:
    """What is said: of all backups together, of everything else alone.

    The ids depend on kinds, ids and times alone: whoever says it says the same.
    """
    backups = tuple(each for each in due if each.kind not in ALONE)
    words = [Word(event=_alone(each, now), due=(each,)) for each in due if each.kind in ALONE]
    if backups:
        words.append(Word(event=_backup_due(backups, now), due=backups))
    return tuple(words)


def _backup_due(due: Sequence[Due], now: datetime) -> BackupDue:
    return BackupDue(
        event_id=derived_id("backup", *((each.id, each.scheduled_for) for each in due)),
        occurred_at=now,
        due=tuple(
            DueTimes(
                configuration_id=each.id,
                scheduled_for=each.scheduled_for,
                coalesced=each.coalesced,
                more=each.more,
            )
            for each in due
        ),
    )


def _alone(due: Due, now: datetime) -> PruneDue | CheckDue | DrillDue:
    id = derived_id(due.kind, due.id, due.scheduled_for.isoformat())
    if due.kind in DESTINATION_EVENTS:
        return DESTINATION_EVENTS[due.kind](
            event_id=id, occurred_at=now, destination_id=due.id, scheduled_for=due.scheduled_for
        )
    return DrillDue(
        event_id=id, occurred_at=now, configuration_id=due.id, scheduled_for=due.scheduled_for
    )


class Slot(msgspec.Struct, kw_only=True):
    """One entry's place in the timetable."""

    rules: Rules
    next_at: datetime | None
    """When the next one is to start."""


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

    def put(self, entry: ScheduleEntry, now: datetime) -> None:
        """Add an entry, or take over what changed.  Raises InvalidRequestError.

        Its ``after`` only grows here: the catalog's record may be older than what was
        just fired, and a time must not be fired twice.  But one that lies in the future does
        not count, be it on record or what was fired, or a clock that jumped once would
        silence the schedule until then.  What is said again is on record once all the same.
        """
        key = (entry.kind, entry.id)
        rules = rules_of(
            entry.id,
            entry.schedule,
            entry.timezone,
            jitter_seconds=entry.jitter_seconds,
            window_start=entry.window_start,
            window_end=entry.window_end,
        )
        known_times = (entry.after, self._after.get(key, entry.after))
        after = max((each for each in known_times if each <= now + AHEAD), default=now)
        known = self._after.get(key) == after
        self._after[key] = after
        slot = self._slots.get(key)
        if slot is None or slot.rules != rules or not known:
            self._place(key, rules)

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
        found: list[Due] = []
        times = 0
        while len(found) < most and times < MOST_AT_ONCE:
            at = self.next_at()
            if at is None or at > now:
                break
            place = heapq.heappop(self._heap)
            if place in ready[-1:]:
                continue  # put there twice
            ready.append(place)
            found.append(self._due_from(place, now))
            times += 1 + len(found[-1].coalesced)
        for place in ready:
            heapq.heappush(self._heap, place)
        return tuple(found)

    def _due_from(self, place: tuple[datetime, str, UUID], now: datetime) -> Due:
        """One due thing for all the times that passed: it stands for the earlier ones.

        Somebody whose machine was off for a week wants one backup now, not seven.
        """
        at, kind, id = place
        rules, after = self._slots[kind, id].rules, self._after[kind, id]
        if kind in ALONE:
            # Nobody keeps a record of each: the newest is enough.
            newest = newest_due(rules.schedule, after, now)
            return Due(kind=kind, id=id, scheduled_for=newest or at)
        times, more = passed(rules, after, now, MOST_TOLD)
        *earlier, newest = times
        return Due(kind=kind, id=id, scheduled_for=newest, coalesced=tuple(earlier), more=more)

    def fired(self, due: Due) -> None:
        """It was said and kept by the stream: only later times count from now on."""
        key = (due.kind, due.id)
        after = self._after.get(key, due.scheduled_for)
        self._after[key] = max(due.scheduled_for, after)
        slot = self._slots.get(key)
        if slot is not None and due.scheduled_for >= after:
            self._place(key, slot.rules)

    def _place(self, key: Key, rules: Rules) -> None:
        time = next(rules.due_after(self._after[key]), None)
        at = None if time is None else rules.starts_at(time)
        self._slots[key] = Slot(rules=rules, next_at=at)
        if at is not None:
            heapq.heappush(self._heap, (at, *key))
