"""A catalog on a real database, without a bus: its answers can be asked directly."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from holdfast.catalog.deps import Deps
from holdfast.catalog.migrate import migrate
from holdfast.catalog.secrets import open_secrets
from holdfast.catalog.seed import seed
from holdfast.catalog.store.pool import open_pool
from holdfast.catalog.waiting import Waiter
from holdfast.settings import Settings


class Clock:
    """A clock that only moves when told."""

    def __init__(self) -> None:
        self.time = datetime(2026, 5, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, **delta: float) -> datetime:
        self.time += timedelta(**delta)
        return self.time


@asynccontextmanager
async def opened_catalog(dsn: str, data: Path, now: Clock) -> AsyncIterator[Deps]:
    """Migrated and seeded, as a started catalog is."""
    # Discoveries are other runs among those that a test looks at: they are asked for.
    settings = Settings(
        data=data,
        postgres_dsn=dsn,
        timezone="Europe/Berlin",
        discover_seconds=0,
        system_backups=False,
        drills=False,
    )
    await migrate(dsn)
    pool = await open_pool(dsn)
    try:
        yield Deps(
            pool=pool,
            now=now,
            settings=settings,
            secrets=await open_secrets(pool, settings, now()),
            instance_id=await seed(pool, settings, now(), hostname="nas"),
            wake=asyncio.Event(),
            waiter=Waiter(),
        )
    finally:
        await pool.close()


async def published(deps: Deps, *, since: int = 0) -> list[tuple[str, dict[str, Any]]]:
    """Type and content of what waits in the outbox, oldest first, after so many."""
    rows = await deps.pool.fetch("select type, payload from outbox order by id offset $1", since)
    return [(row["type"], msgspec.json.decode(row["payload"])) for row in rows]
