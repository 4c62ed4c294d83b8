"""The scheduler's loop, with a clock and a bus that tests hold in their hands."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from holdfast.bus.testing import RecordingBus
from holdfast.events.base import Event
from holdfast.events.changes import Change, PolicyChanged
from holdfast.events.due import BackupDue, DueTimes, PruneDue
from holdfast.events.queries import ListSchedules, ScheduleEntries, ScheduleEntry
from holdfast.kernel.errors import HoldfastError, UnavailableError
from holdfast.kernel.ids import derived_id, new_id
from holdfast.scheduler.handlers import Deps, watch_changes
from holdfast.scheduler.ticker import (
    AT_ONCE,
    LONGEST_SLEEP_SECONDS,
    RELOAD_SECONDS,
    RETRY_SECONDS,
    Ticker,
)

TWO = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def entry(
    name: str = "photos",
    schedule: str = "0 2 * * *",
    after: datetime = TWO,
    *,
    kind: str = "backup",
) -> ScheduleEntry:
    return ScheduleEntry(
        kind=kind, id=derived_id(name), schedule=schedule, timezone="UTC", after=after
    )


def told(bus: RecordingBus) -> list[DueTimes]:
    """What was said of backups."""
    said = [each for each in bus.published if isinstance(each, BackupDue)]
    return [due for each in said for due in each.due]


class World:
    """A ticker, what it hears from the catalog, and the time."""

    def __init__(self, *entries: ScheduleEntry) -> None:
        self.at = TWO + timedelta(hours=12)
        self.running = 0.0
        self.bus = RecordingBus({ListSchedules: ScheduleEntries(entries=entries)})
        self.ticker = self.new_ticker()

    def new_ticker(self) -> Ticker:
        return Ticker(self.bus, lambda: self.at, lambda: self.running)

    def set_entries(self, *entries: ScheduleEntry) -> None:
        self.bus.answers[ListSchedules] = ScheduleEntries(entries=entries)

    async def pass_time(self, time: timedelta) -> float:
        self.at += time
        self.running += time.total_seconds()
        return await self.ticker.step()

    @property
    def said(self) -> list[datetime]:
        return [due.scheduled_for for due in told(self.bus)]


async def test_it_fires_when_the_time_has_come_and_once() -> None:
    world = World(entry())
    await world.ticker.step()
    assert world.said == []

    await world.pass_time(timedelta(hours=12))
    await world.pass_time(timedelta(seconds=1))

    assert world.said == [TWO + DAY]


async def test_it_sleeps_exactly_to_the_next_due_time_when_that_is_near() -> None:
    world = World(entry())

    seconds = await world.pass_time(timedelta(hours=11, minutes=59, seconds=50))

    assert seconds == pytest.approx(10)


async def test_it_sleeps_no_longer_than_a_clock_jump_may_go_unnoticed() -> None:
    assert await World(entry()).ticker.step() == LONGEST_SLEEP_SECONDS
    assert await World().ticker.step() == LONGEST_SLEEP_SECONDS


async def test_a_jump_of_days_becomes_one_event() -> None:
    world = World(entry())
    await world.ticker.step()

    world.at += 3 * DAY
    await world.ticker.step()

    (due,) = told(world.bus)
    assert due.scheduled_for == TWO + 3 * DAY
    assert due.coalesced == (TWO + DAY, TWO + 2 * DAY)


async def test_what_the_bus_did_not_take_is_said_again() -> None:
    world = World(entry())
    await world.ticker.step()
    world.bus.connected = False

    assert await world.pass_time(timedelta(hours=12)) == RETRY_SECONDS
    assert world.said == []
    world.bus.connected = True
    await world.pass_time(timedelta(seconds=1))

    assert world.said == [TWO + DAY]


async def test_a_refusal_of_one_does_not_repeat_the_others() -> None:
    class Picky(RecordingBus):
        refused = derived_id("nas")

        async def publish(self, event: Event) -> None:
            if isinstance(event, PruneDue) and event.destination_id == self.refused:
                raise UnavailableError
            await super().publish(event)

    world = World()
    both = ScheduleEntries(entries=(entry(), entry("nas", kind="prune")))
    world.bus = bus = Picky({ListSchedules: both})
    world.ticker = world.new_ticker()

    assert await world.pass_time(DAY) == RETRY_SECONDS
    assert await world.pass_time(timedelta(seconds=1)) == RETRY_SECONDS
    bus.refused = new_id()
    await world.pass_time(timedelta(seconds=1))

    assert [type(each) for each in bus.published] == [BackupDue, PruneDue]


async def test_a_defect_is_raised_but_what_was_taken_counts_as_fired() -> None:
    class Broken(RecordingBus):
        async def publish(self, event: Event) -> None:
            if isinstance(event, PruneDue):
                raise TypeError
            await super().publish(event)

    world = World()
    both = ScheduleEntries(entries=(entry(), entry("nas", kind="prune")))
    world.bus = Broken({ListSchedules: both})
    world.ticker = world.new_ticker()

    for _ in range(2):
        with pytest.raises(TypeError):
            await world.pass_time(DAY / 2)

    assert len(world.said) == 1


async def test_a_restarted_scheduler_says_the_same_thing() -> None:
    world = World(entry())
    await world.pass_time(DAY)

    await world.new_ticker().step()

    first, second = world.bus.published
    assert first.event_id == second.event_id


async def test_more_than_go_at_once_are_all_said() -> None:
    world = World(*(entry(f"app-{number}") for number in range(3 * AT_ONCE + 1)))

    await world.pass_time(DAY)

    assert len(world.said) == 3 * AT_ONCE + 1


async def test_one_bad_schedule_does_not_stop_the_others() -> None:
    world = World(entry("bad", schedule="whenever"), entry())

    await world.pass_time(DAY)

    assert len(world.said) == 1


async def test_the_timetable_is_asked_for_at_the_start_when_told_and_every_five_minutes() -> None:
    world = World(entry())
    asked = []
    for action in (
        lambda: world.pass_time(timedelta(0)),
        lambda: world.pass_time(timedelta(seconds=RELOAD_SECONDS - 1)),
        lambda: world.pass_time(timedelta(seconds=1)),
    ):
        await action()
        asked.append(len(world.bus.asked))
    world.ticker.reload()
    await world.pass_time(timedelta(0))
    asked.append(len(world.bus.asked))

    assert asked == [1, 1, 2, 3]


async def test_an_entry_that_has_gone_does_not_fire() -> None:
    world = World(entry())
    await world.ticker.step()

    world.set_entries()
    world.ticker.reload()
    await world.pass_time(DAY)

    assert world.said == []


async def test_without_the_catalog_the_old_timetable_goes_on() -> None:
    def away(_: object) -> None:
        raise HoldfastError

    world = World(entry())
    await world.ticker.step()
    world.bus.answers[ListSchedules] = away
    world.ticker.reload()

    assert await world.pass_time(timedelta(hours=12)) == RETRY_SECONDS
    assert world.said == [TWO + DAY]


async def test_a_change_during_the_question_is_asked_for_again() -> None:
    world = World()
    stale = ScheduleEntries(entries=(entry(),))

    def answer(_: object) -> ScheduleEntries:
        if len(world.bus.asked) == 1:
            world.ticker.reload()
        return stale

    world.bus.answers[ListSchedules] = answer

    assert await world.ticker.step() == RETRY_SECONDS
    await world.ticker.step()

    assert len(world.bus.asked) == 2


async def test_it_stops_at_once_although_it_sleeps() -> None:
    world = World(entry())
    stop = asyncio.Event()
    running = asyncio.create_task(world.ticker.run(stop))
    async with asyncio.timeout(5):
        while not world.bus.asked:
            await asyncio.sleep(0)

        stop.set()
        await running


async def test_a_reload_wakes_it_from_its_sleep() -> None:
    world = World(entry())
    stop = asyncio.Event()
    running = asyncio.create_task(world.ticker.run(stop))
    async with asyncio.timeout(5):
        while len(world.bus.asked) < 2:
            if world.bus.asked:
                world.ticker.reload()
            await asyncio.sleep(0)
        stop.set()
        await running


async def test_each_change_has_the_timetable_asked_for_again() -> None:
    bus = RecordingBus()
    heard = asyncio.Event()
    stop = asyncio.Event()
    watching = asyncio.create_task(watch_changes(stop, Deps(bus=bus, reload=heard.set)))

    await bus.publish(
        PolicyChanged(event_id=new_id(), occurred_at=TWO, policy_id=new_id(), change=Change.UPDATED)
    )

    async with asyncio.timeout(5):
        await heard.wait()
        stop.set()
        await watching
