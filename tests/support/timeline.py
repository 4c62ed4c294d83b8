"""Simulated years: two schedulers that die, a clock that jumps, a stream, and a plain oracle.

The schedulers run the real timetable; what becomes of an event is the ledger's business,
which a test gives: the real rules over a dictionary, or the catalog on a database.
"""

import random
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from holdfast.events.due import BackupDue, DueTimes
from holdfast.events.queries import ScheduleEntry
from holdfast.events.schedule import CatchUp
from holdfast.schedule import Rules, rules_of
from holdfast.scheduler.domain import MOST_TOLD, Timetable, words_of

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)

Hear = Callable[[BackupDue, datetime], Awaitable[None]]
Entries = Callable[[], Awaitable[tuple[ScheduleEntry, ...]]]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One configuration of the simulation."""

    id: UUID
    schedule: str
    timezone: str = "UTC"
    jitter_seconds: int = 0
    window_start: str | None = None
    window_end: str | None = None
    catch_up: CatchUp = CatchUp.RUN_ONCE

    def entry(self, after: datetime) -> ScheduleEntry:
        return ScheduleEntry(
            kind="backup",
            id=self.id,
            schedule=self.schedule,
            timezone=self.timezone,
            after=after,
            jitter_seconds=self.jitter_seconds,
            window_start=self.window_start,
            window_end=self.window_end,
        )

    @property
    def rules(self) -> Rules:
        return rules_of(
            self.id,
            self.schedule,
            self.timezone,
            jitter_seconds=self.jitter_seconds,
            window_start=self.window_start,
            window_end=self.window_end,
        )


class Said(msgspec.Struct, frozen=True):
    """An event that reached the stream, and the moment on the clock at which it did."""

    event: BackupDue
    at: datetime


class Timeline:
    """The house as time goes by.  Everything random comes from one seed."""

    def __init__(self, seed: int, entries: Entries, hear: Hear) -> None:
        self.dice = random.Random(seed)
        self._entries = entries
        self._hear = hear
        self.true = START
        self.jump = timedelta(0)
        self.furthest = START
        """The latest moment that the clock has shown to a scheduler that finished its step."""
        self.schedulers: list[Timetable | None] = [None, None]
        self.waiting: list[Said] = []
        self.said: list[Said] = []
        self._ids: set[UUID] = set()

    @property
    def clock(self) -> datetime:
        return self.true + self.jump

    async def live(self, until: datetime) -> None:
        """Faults and all, until then; the last step is a good one of everybody."""
        while self.true < until:
            downtime = self.dice.random() < 0.01
            self.true += timedelta(days=self.dice.uniform(1, 9)) if downtime else self._step()
            await self._faults()
            for number in (0, 1):
                if self.schedulers[number] is not None:
                    await self._tick(number, well=False)
            await self._deliver(self.dice.random() < 0.8)
        self.jump = timedelta(0)
        self.true = max(self.true, self.furthest) + DAY
        await self._deliver(True)
        for number in (0, 1):
            await self._start(number)
            await self._tick(number, well=True)
        await self._deliver(True)

    def _step(self) -> timedelta:
        return timedelta(seconds=self.dice.choice((1, 30, 900, 3600, 20_000)) * self.dice.random())

    async def _faults(self) -> None:
        if self.dice.random() < 0.02:
            self.jump = timedelta(seconds=self.dice.uniform(-86_400, 86_400))
        elif self.dice.random() < 0.03:
            self.jump = timedelta(0)
        for number in (0, 1):
            if self.dice.random() < 0.04:
                self.schedulers[number] = None
            elif self.schedulers[number] is None and self.dice.random() < 0.3:
                await self._start(number)
            elif self.schedulers[number] is not None and self.dice.random() < 0.1:
                await self._load(number)

    async def _start(self, number: int) -> None:
        self.schedulers[number] = Timetable()
        await self._load(number)

    async def _load(self, number: int) -> None:
        table = self.schedulers[number]
        assert table is not None
        for entry in await self._entries():
            table.put(entry, self.clock)

    async def _tick(self, number: int, *, well: bool) -> None:
        """Say what is due.  Unless all is well it may die between any two things it does,
        and an event may get lost, or its acknowledgement."""
        table, now = self.schedulers[number], self.clock
        assert table is not None
        while dues := table.due(now, self.dice.choice((1, 2, 8))):
            for word in words_of(dues, now):
                fate = (
                    "well"
                    if well
                    else self.dice.choices(
                        ("well", "lost", "no answer", "dead", "dead after"), (90, 3, 3, 2, 2)
                    )[0]
                )
                if fate == "dead":
                    self.schedulers[number] = None
                    return
                if fate == "lost":
                    return
                assert isinstance(word.event, BackupDue)
                assert all(len(each.coalesced) < MOST_TOLD for each in word.due)
                self._keep(Said(word.event, now))
                if fate == "dead after":
                    self.schedulers[number] = None
                    return
                if fate == "no answer":
                    return
                for due in word.due:
                    table.fired(due)
        self.furthest = max(self.furthest, now)

    def _keep(self, said: Said) -> None:
        """The stream drops what it has, for as long as it remembers: mostly."""
        if said.event.event_id in self._ids and self.dice.random() < 0.7:
            return
        self._ids.add(said.event.event_id)
        self.said.append(said)
        self.waiting.append(said)

    async def _deliver(self, awake: bool) -> None:
        """In order; what was heard may be heard again."""
        if not awake:
            return
        for said in self.waiting:
            await self._hear(said.event, said.at)
            if self.dice.random() < 0.05:
                await self._hear(self.dice.choice(self.said).event, said.at)
        self.waiting.clear()


def oracle(plan: Plan, said: list[Said], horizon: datetime) -> dict[datetime, str]:
    """What the ledger must hold, found out plainly: every due time up to *horizon*, each
    judged when it was first told of."""
    rules = plan.rules
    due: list[datetime] = []
    for time in rules.due_after(START):
        if rules.starts_at(time) > horizon:
            break
        due.append(time)
    rows: dict[datetime, str] = {}
    place = 0
    for each, mine in _told(plan, said):
        end = place
        while end < len(due) and due[end] <= mine.scheduled_for:
            end += 1
        told, place = due[place:end], end
        inside = [time for time in told if _inside(plan, time)]
        more = end < len(due) and rules.starts_at(due[end]) <= each.at
        for time in told:
            rows[time] = (
                "skipped" if time not in inside else _fate(plan, time, inside, more, each.at)
            )
    return rows


def _told(plan: Plan, said: list[Said]) -> Iterator[tuple[Said, DueTimes]]:
    for each in said:
        for mine in each.event.due:
            if mine.configuration_id == plan.id:
                yield each, mine


def _fate(plan: Plan, time: datetime, inside: list[datetime], more: bool, at: datetime) -> str:
    newest = inside[-1]
    made_up = plan.catch_up is CatchUp.RUN_ONCE
    if more:
        return "coalesced" if made_up else "missed"
    if not made_up and at - plan.rules.starts_at(newest) > timedelta(minutes=5):
        return "missed"
    if not _inside(plan, at):
        return "missed"
    if time == newest:
        return "fired"
    return "coalesced" if made_up else "missed"


def _inside(plan: Plan, at: datetime) -> bool:
    """By the text of the clock; the simulation's windows are in UTC."""
    if plan.window_start is None or plan.window_end is None:
        return True
    reading = at.strftime("%H:%M")
    if plan.window_start < plan.window_end:
        return plan.window_start <= reading < plan.window_end
    return reading >= plan.window_start or reading < plan.window_end
