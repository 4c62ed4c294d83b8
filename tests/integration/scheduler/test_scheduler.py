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
from holdfast.events.base import Event
from holdfast.events.changes import Change, ConfigurationChanged
from holdfast.events.due import BackupDue
from holdfast.events.queries import ListSchedules, ScheduleEntries, ScheduleEntry
from holdfast.kernel.clock import utc_now
from holdfast.kernel.ids import derived_id, new_id
from holdfast.runtime import Runtime
from holdfast.scheduler.service import build
from holdfast.settings import Settings
from support.house import Process

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


def entry(configuration_id: UUID, *, now: datetime = NOW) -> ScheduleEntry:
    """Due once, by *now*."""
    return ScheduleEntry(
        kind="backup",
        id=configuration_id,
        schedule="0 2 * * *",
        timezone="UTC",
        after=now - timedelta(days=1),
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


async def told(bus: Bus) -> list[UUID]:
    """Whose due times are in the stream."""
    ids: list[UUID] = []
    async for each in facts_now(bus):
        if isinstance(each, BackupDue):
            ids += [due.configuration_id for due in each.due]
    return ids


async def facts_now(bus: Bus) -> AsyncIterator[Event]:
    """What the stream holds at this moment."""
    facts = bus.facts(after_sequence=0)
    for _ in range(await kept(bus)):
        yield (await anext(facts))[1]


def scheduler_process(nats_url: str, folder: Path) -> Process:
    """A scheduler that can be killed."""
    folder.mkdir()
    environment = {
        "HOLDFAST_DATA": str(folder),
        "HOLDFAST_NATS_URL": nats_url,
        "HOLDFAST_TIMEZONE": "UTC",
    }
    return Process(["serve", "scheduler"], folder / "log", environment)


async def test_two_schedulers_say_one_thing(bus: Bus, catalog: Catalog, start: Start) -> None:
    catalog.entries = (entry(PHOTOS), entry(MAIL))

    await start()
    await start()

    async def both_have_said_it() -> bool:
        # The bus counts what it was given apart from what it kept.
        return catalog.asked == 2 and await kept(bus) == 1

    await until(both_have_said_it)
    assert sorted(await told(bus)) == sorted([PHOTOS, MAIL])


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

    async def photos_are_due() -> bool:
        return PHOTOS in await told(bus)

    await until(photos_are_due)


async def test_of_two_processes_one_is_killed_and_the_other_goes_on(
    nats_url: str, bus: Bus, catalog: Catalog, tmp_path: Path
) -> None:
    """Thousands are due at once; one dies as it speaks, and within ten seconds all are told."""
    ids = [derived_id("app", number) for number in range(5000)]
    catalog.entries = tuple(entry(each, now=utc_now()) for each in ids)
    processes = [scheduler_process(nats_url, tmp_path / name) for name in ("one", "two")]
    try:

        async def some_were_said() -> bool:
            return await kept(bus) >= 1

        await until(some_were_said)
        processes[0].kill()
        killed_at = time.monotonic()
        said_before = len(await told(bus))

        async def all_were_said() -> bool:
            return set(await told(bus)) >= set(ids)

        await until(all_were_said)
        assert said_before < len(ids)
        assert time.monotonic() - killed_at < 10
    finally:
        for each in processes:
            each.kill()
    # Both say the same in the same words, so that the stream keeps each once.
    assert sorted(await told(bus)) == sorted(ids)


async def test_one_that_starts_after_a_kill_says_the_rest(
    nats_url: str, bus: Bus, catalog: Catalog, tmp_path: Path
) -> None:
    """A lone scheduler dies as it speaks; the next one repeats nothing that the stream has."""
    ids = [derived_id("app", number) for number in range(5000)]
    catalog.entries = tuple(entry(each, now=utc_now()) for each in ids)
    first = scheduler_process(nats_url, tmp_path / "one")

    async def some_were_said() -> bool:
        return await kept(bus) >= 2

    await until(some_were_said)
    first.kill()
    assert len(await told(bus)) < len(ids)
    second = scheduler_process(nats_url, tmp_path / "two")

    async def all_were_said() -> bool:
        return set(await told(bus)) >= set(ids)

    await until(all_were_said)
    second.kill()
    assert sorted(await told(bus)) == sorted(ids)
