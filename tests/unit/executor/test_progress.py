"""Progress: the first word at once, the newest each second, the last one always."""

import asyncio
from datetime import UTC, datetime

from holdfast.bus.testing import RecordingBus
from holdfast.events.run import Operation, RunProgress
from holdfast.executor.progress import Progress
from holdfast.kernel.ids import new_id

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Seconds:
    """A sleep that ends when the test says so."""

    def __init__(self) -> None:
        self.asleep = asyncio.Event()
        self._over = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        assert seconds == 1.0
        self.asleep.set()
        await self._over.wait()
        self._over.clear()

    async def pass_one(self) -> None:
        self.asleep.clear()
        self._over.set()
        # Asleep again, or waiting for news.
        for _ in range(5):
            await asyncio.sleep(0)


def fractions(bus: RecordingBus) -> list[float]:
    return [each.fraction for each in bus.published if isinstance(each, RunProgress)]


async def test_the_first_and_the_last_are_told_and_the_newest_between() -> None:
    bus, seconds = RecordingBus(), Seconds()

    async with Progress(bus, lambda: NOW, new_id(), Operation.BACKUP, seconds) as progress:
        progress.tell(0.1)
        await seconds.asleep.wait()
        assert fractions(bus) == [0.1]
        progress.tell(0.2)
        progress.tell(0.3)
        await seconds.pass_one()
        assert fractions(bus) == [0.1, 0.3]
        progress.tell(0.9)
        progress.tell(1.5)

    assert fractions(bus) == [0.1, 0.3, 1.0]


async def test_no_news_is_not_told() -> None:
    bus, seconds = RecordingBus(), Seconds()

    async with Progress(bus, lambda: NOW, new_id(), Operation.PRUNE, seconds):
        pass

    assert bus.published == []


async def test_a_bus_that_is_away_harms_nothing() -> None:
    bus, seconds = RecordingBus(), Seconds()
    bus.connected = False

    async with Progress(bus, lambda: NOW, new_id(), Operation.BACKUP, seconds) as progress:
        progress.tell(0.1)
        await seconds.asleep.wait()
        bus.connected = True
        progress.tell(0.2)

    assert fractions(bus) == [0.2]
