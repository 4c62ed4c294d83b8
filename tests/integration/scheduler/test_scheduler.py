"""Two schedulers on a real bus: they say one thing, and each hears of a change."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from holdfast.bus import Bus
from holdfast.bus.answers import Answerer, AnswerTo
from holdfast.events.changes import Change, ConfigurationChanged
from holdfast.events.due import BackupDue
from holdfast.events.queries import ListSchedules, ScheduleEntries, ScheduleEntry
from holdfast.kernel.ids import derived_id, new_id
from holdfast.runtime import Runtime
from holdfast.scheduler.service import build
from holdfast.scheduler.ticker import Ticker
from holdfast.settings import Settings

pytestmark = pytest.mark.nats

NOW = datetime(2026, 3, 1, 2, 0, 5, tzinfo=UTC)
PHOTOS, MAIL = derived_id("photos"), derived_id("mail")

Start = Callable[[], Awaitable[None]]


class Catalog:
    """Answers with its entries, and counts the questions."""

    def __init__(self) -> None:
        self.entries: tuple[ScheduleEntry, ...] = ()
        self.asked = 0

    async def schedules(self, _: ListSchedules) -> ScheduleEntries:
        self.asked += 1
        return ScheduleEntries(entries=self.entries)


def entry(configuration_id: UUID) -> ScheduleEntry:
    return ScheduleEntry(
        kind="backup",
        id=configuration_id,
        schedule="0 2 * * *",
        timezone="UTC",
        after=NOW - timedelta(hours=5),
    )


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    bus = await Bus.open(nats_url, "test")
    yield bus
    await bus.close()


@pytest.fixture
async def catalog(bus: Bus) -> AsyncIterator[Catalog]:
    catalog = Catalog()
    answerer = Answerer(bus)
    await answerer.start(
        [AnswerTo(service="catalog", query_type=ListSchedules, reply=catalog.schedules)]
    )
    yield catalog
    await answerer.stop()


@pytest.fixture
async def start(nats_url: str, tmp_path: Path) -> AsyncIterator[Start]:
    """Run one more scheduler, on a connection of its own and a clock that stands still."""
    stop = asyncio.Event()
    loops: list[asyncio.Future[None]] = []
    connections: list[Bus] = []

    async def run() -> None:
        connections.append(await Bus.open(nats_url, "scheduler"))
        runtime = Runtime(settings=Settings(data=tmp_path), bus=connections[-1], now=lambda: NOW)
        service = await build(runtime)
        loops.extend(asyncio.ensure_future(loop(stop)) for loop in service.runs)

    yield run
    stop.set()
    await asyncio.gather(*loops)
    for connection in connections:
        await connection.close()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.01)


async def kept(bus: Bus) -> int:
    return int((await bus.context.stream_info("FACTS")).state.messages)


async def test_two_schedulers_say_one_thing(bus: Bus, catalog: Catalog, start: Start) -> None:
    catalog.entries = (entry(PHOTOS), entry(MAIL))
    said = bus.facts(after_sequence=0)

    await start()
    await start()
    first, second = (await anext(said))[1], (await anext(said))[1]

    async def both_have_said_it() -> bool:
        # The bus counts what it was given apart from what it kept.
        return catalog.asked == 2 and await kept(bus) == 2

    await until(both_have_said_it)
    assert isinstance(first, BackupDue)
    assert isinstance(second, BackupDue)
    assert {first.configuration_id, second.configuration_id} == {PHOTOS, MAIL}


async def test_each_of_two_hears_of_a_change(bus: Bus, catalog: Catalog, start: Start) -> None:
    await start()
    await start()

    async def both_have_asked() -> bool:
        return catalog.asked >= 2

    async def both_ask_again() -> bool:
        await bus.publish(
            ConfigurationChanged(
                event_id=new_id(), occurred_at=NOW, configuration_id=PHOTOS, change=Change.CREATED
            )
        )
        return catalog.asked >= 4

    await until(both_have_asked)
    catalog.entries = (entry(PHOTOS),)
    await until(both_ask_again)

    async with asyncio.timeout(20):
        async for _, event in bus.facts(after_sequence=0):
            if isinstance(event, BackupDue):
                break
    assert event.configuration_id == PHOTOS


async def test_one_that_dies_in_mid_minute_is_made_up_for_by_the_other(
    nats_url: str, bus: Bus, catalog: Catalog, start: Start
) -> None:
    """Two processes in all but name: one is cut off after some of its words went out."""
    ids = [derived_id("app", number) for number in range(500)]
    catalog.entries = tuple(entry(each) for each in ids)
    doomed = await Bus.open(nats_url, "scheduler")
    dying = Ticker(doomed, lambda: NOW, time.monotonic)
    stepping = asyncio.create_task(dying.step())

    async def some_were_said() -> bool:
        return await kept(bus) >= 50

    await until(some_were_said)
    stepping.cancel()
    await asyncio.gather(stepping, return_exceptions=True)
    await doomed.client.close()  # as a kill does it: nothing is flushed
    said_by_the_first = await kept(bus)
    await start()

    async def all_were_said() -> bool:
        return await kept(bus) >= len(ids)

    before = time.monotonic()
    await until(all_were_said)
    assert said_by_the_first < len(ids)
    assert time.monotonic() - before < 10
    events = bus.facts(after_sequence=0)
    found = [(await anext(events))[1] for _ in ids]
    assert {each.configuration_id for each in found if isinstance(each, BackupDue)} == set(ids)
    assert await kept(bus) == len(ids)
