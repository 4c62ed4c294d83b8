"""The scheduler's one loop: ask for the timetable, say what is due, sleep to the next."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from holdfast.events.base import Event
from holdfast.events.queries import ListSchedules, Query, ScheduleEntry
from holdfast.kernel.clock import Now
from holdfast.kernel.errors import HoldfastError, InvalidRequestError
from holdfast.kernel.pause import pause
from holdfast.scheduler.domain import Due, Timetable, Word, words_of
from holdfast.telemetry.logs import Log

R = TypeVar("R")
log = Log("scheduler")

LONGEST_SLEEP_SECONDS = 30.0
"""A clock that is set forward is noticed within this time."""

RELOAD_SECONDS = 300.0
"""The timetable is asked for this often although nothing is said to have changed."""

RETRY_SECONDS = 1.0
"""After the catalog did not answer, or the bus did not take an event."""

AT_ONCE = 250
"""How many are told of together: so many the catalog writes down in one go, and others get
their turn in between."""

BREATH = 500
"""After so many entries others get a turn: a hundred thousand take seconds to read."""


class Speaks(Protocol):
    """What is needed of the bus."""

    async def publish(self, event: Event) -> None: ...

    async def request(self, query: Query[R], *, timeout: float = ...) -> R: ...


class Ticker:
    """Knows the timetable, and fires.  What it has fired it remembers in memory only:
    after a restart the catalog's record and the events' derived ids say the rest."""

    def __init__(self, bus: Speaks, now: Now, monotonic: Callable[[], float]) -> None:
        self._bus = bus
        self._now = now
        self._monotonic = monotonic
        self._timetable = Timetable()
        self._reload_wanted = True
        self._reload_at = monotonic()
        self._wake = asyncio.Event()

    def reload(self) -> None:
        """Ask for the timetable at the next step, and take that step now."""
        self._reload_wanted = True
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Step until *stop* is set."""
        while not stop.is_set():
            self._wake.clear()
            seconds = await self.step()
            await pause(stop, self._wake, seconds=seconds)

    async def step(self) -> float:
        """Do what is to be done now; the seconds until the next step is needed."""
        if self._monotonic() >= self._reload_at:
            self._reload_wanted = True
        if self._reload_wanted:
            await self._load()
        fired = await self._fire()

        if self._reload_wanted or not fired:
            return RETRY_SECONDS
        wait = min(LONGEST_SLEEP_SECONDS, max(0.0, self._reload_at - self._monotonic()))
        at = self._timetable.next_at()
        return wait if at is None else min(wait, _seconds_until(at, self._now()))

    async def _load(self) -> None:
        """Take over the catalog's timetable; if it does not answer, the reload stays wanted."""
        # Before the question: what changes after the answer was made must be asked for again.
        self._reload_wanted = False
        try:
            entries = await self._ask()
        except HoldfastError as error:
            self._reload_wanted = True
            log.warning("timetable_not_loaded", error=str(error))
            return
        self._reload_at = self._monotonic() + RELOAD_SECONDS
        self._timetable.keep_only((entry.kind, entry.id) for entry in entries)
        for number, entry in enumerate(entries, 1):
            self._put(entry)
            if number % BREATH == 0:
                await asyncio.sleep(0)
        log.debug("timetable_loaded", entries=len(entries))

    async def _ask(self) -> list[ScheduleEntry]:
        """The whole timetable, page by page."""
        entries: list[ScheduleEntry] = []
        after: UUID | None = None
        while True:
            page = await self._bus.request(ListSchedules(after_id=after))
            entries += page.entries
            if page.next_after_id is None:
                return entries
            after = page.next_after_id

    def _put(self, entry: ScheduleEntry) -> None:
        try:
            self._timetable.put(entry, self._now())
        except InvalidRequestError as error:
            # The catalog refuses such a schedule; if one is there, the others must still run.
            log.error("schedule_invalid", kind=entry.kind, id=str(entry.id), error=str(error))

    async def _fire(self) -> bool:
        """Say all that is due; whether the stream took all of it."""
        while True:
            now = self._now()
            due = self._timetable.due(now, AT_ONCE)
            if not due:
                return True
            if not await self._say(due, now):
                return False
            await asyncio.sleep(0)

    async def _say(self, due: Sequence[Due], now: datetime) -> bool:
        """Publish it; only what the stream acknowledged counts as fired."""
        words = words_of(due, now)
        results = await asyncio.gather(
            *(self._bus.publish(word.event) for word in words), return_exceptions=True
        )
        for word, result in zip(words, results, strict=True):
            if result is None:
                for each in word.due:
                    self._timetable.fired(each)
                _log_said(word)
        for failure in results:
            if isinstance(failure, HoldfastError):
                log.warning("due_not_said", error=str(failure))
            elif failure is not None:
                raise failure
        return all(result is None for result in results)


def _log_said(word: Word) -> None:
    log.info(
        "due_said",
        event_type=word.event.TYPE,
        times=[f"{each.id} {each.scheduled_for.isoformat()}" for each in word.due],
        coalesced=sum(len(each.coalesced) for each in word.due),
    )


def _seconds_until(at: datetime, now: datetime) -> float:
    return max(0.0, (at - now).total_seconds())
