"""``just bench schedule``: what 100,000 schedules cost, and how soon a thousand are queued.

The first with the real ticker on a clock that is moved by hand, an hour of it; the second with
real NATS, a real catalog on real Postgres, and a thousand configurations due in the same minute.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from holdfast.bus import Bus
from holdfast.bus.testing import RecordingBus
from holdfast.catalog.service import build as build_catalog
from holdfast.events.queries import ListSchedules, ScheduleEntries, ScheduleEntry
from holdfast.kernel.clock import utc_now
from holdfast.kernel.ids import derived_id
from holdfast.runtime import Runtime
from holdfast.runtime.host import Host
from holdfast.scheduler.service import build as build_scheduler
from holdfast.scheduler.ticker import Ticker
from holdfast.settings import Settings
from support.catalog import Clock, opened_catalog
from support.runs import added_app, protected_app
from support.servers import NatsServer, PostgresServer

START = datetime(2026, 3, 1, tzinfo=UTC)


def share_of_a_core(count: int) -> None:
    """Load so many, then let an hour pass."""
    entries = tuple(
        ScheduleEntry(
            kind="backup",
            id=derived_id("bench", number),
            schedule=f"{number % 60} {number // 60 % 24} * * *",
            timezone=("UTC", "Europe/Berlin", "America/New_York")[number % 3],
            after=START,
            jitter_seconds=600,
        )
        for number in range(count)
    )
    bus = RecordingBus({ListSchedules: ScheduleEntries(entries=entries)})
    at, running = START, 0.0
    ticker = Ticker(bus, lambda: at, lambda: running)

    async def hour() -> tuple[float, float]:
        nonlocal at, running
        begin = time.process_time()
        await ticker.step()
        loaded = time.process_time()
        while running < 3600:
            seconds = max(0.001, await ticker.step())
            at += timedelta(seconds=seconds)
            running += seconds
        return loaded - begin, time.process_time() - loaded

    loading, hourly = asyncio.run(hour())
    print(f"{count:,} daily schedules: loading {loading:.1f} s of a core, once;")
    print(
        f"  then {hourly:.1f} s in an hour ({len(bus.published):,} due, a reload every 5 minutes):"
        f" {hourly / 36:.2f} % of a core"
    )


async def until_queued(count: int, scratch: Path) -> None:
    """So many are due in one minute: from due to queued, over the whole road."""
    nats, postgres = NatsServer(scratch / "nats"), PostgresServer(scratch / "postgres")
    url = await asyncio.to_thread(nats.start)
    await asyncio.to_thread(postgres.start)
    try:
        dsn = await asyncio.to_thread(postgres.new_database)
        settings = Settings(data=scratch / "data", nats_url=url, postgres_dsn=dsn, timezone="UTC")
        waits = await _measure(settings, count)
    finally:
        await asyncio.to_thread(nats.stop)
        await asyncio.to_thread(postgres.stop)
    cuts = statistics.quantiles(waits, n=100)
    print(
        f"{len(waits):,} due in one minute, from due to queued: "
        f"median {cuts[49]:.2f} s, p99 {cuts[98]:.2f} s, longest {max(waits):.2f} s"
    )


async def _measure(settings: Settings, count: int) -> list[float]:
    """Seconds from due to queued, of each."""
    clock = Clock()
    clock.time = utc_now() - timedelta(minutes=1)
    async with opened_catalog(settings.postgres_dsn, settings.data, clock) as deps:
        await protected_app(deps, name="app0")
        for number in range(1, count):
            await added_app(deps, f"app{number}")
        due = (utc_now() + timedelta(seconds=70)).replace(second=0, microsecond=0)
        await deps.pool.execute(
            "update policy set timezone = 'UTC', schedule = $1", f"{due.minute} {due.hour} * * *"
        )
        bus = await Bus.open(settings.nats_url, "bench")
        host = Host(Runtime(settings=settings, bus=bus), settings.nats_url, "bench")
        await host.start([build_catalog, build_scheduler])
        await asyncio.sleep((due - utc_now()).total_seconds())
        waits = await _as_they_are_queued(deps.pool, due, count)
        await host.stop()
        await bus.close()
    return waits


async def _as_they_are_queued(pool: Any, due: datetime, count: int) -> list[float]:
    """Seconds from *due* until each run could be seen by others, as a look every 5 ms tells."""
    waits: list[float] = []
    while len(waits) < count:
        seen = await pool.fetchval("select count(*) from run where scheduled_for is not null")
        passed = (utc_now() - due).total_seconds()
        waits += [passed] * (seen - len(waits))
        await asyncio.sleep(0.005)
    return waits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=100_000)
    parser.add_argument("--due", type=int, default=1000)
    options = parser.parse_args()
    share_of_a_core(options.schedules)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as scratch:
        asyncio.run(until_queued(options.due, Path(scratch)))


if __name__ == "__main__":
    main()
