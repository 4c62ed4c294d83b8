"""What is known of repositories by looking at them: readings, damage, sizes, prices."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from holdfast.catalog.domain.verification import Promise, Reading
from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import to_struct, to_structs
from holdfast.catalog.store.sql import load
from holdfast.events.run import RepositoryStats
from holdfast.events.views import StatsDay

SQL = load("verification")


class PromiseRow(Promise, frozen=True, kw_only=True):
    """A destination's promise, and when it is checked."""

    check_schedule: str
    timezone: str
    checked_at: datetime | None


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found, and no later one took back."""

    pack: str
    """Empty: the structure is damaged."""
    missing: bool
    snapshot_ids: tuple[str, ...]
    found_at: datetime


async def was_due(connection: Connection, destination_id: UUID, scheduled_for: datetime) -> bool:
    """Remember the time, so that it is not due again.  False: nothing is to be checked."""
    return (
        await connection.fetchval(SQL["check_was_due"], destination_id, scheduled_for) is not None
    )


async def promise(connection: Connection, destination_id: UUID) -> PromiseRow | None:
    """What was promised of a destination in use, or None."""
    row = await connection.fetchrow(SQL["promise"], destination_id)
    return None if row is None else to_struct(row, PromiseRow)


async def set_promise(
    connection: Connection,
    destination_id: UUID,
    within_days: int,
    budget_mib_per_day: int | None,
    schedule: str,
    now: datetime,
) -> bool:
    """False: there is no such destination in use."""
    found = await connection.fetchval(
        SQL["set_promise"], destination_id, within_days, budget_mib_per_day, schedule, now
    )
    return found is not None


async def readings(connection: Connection, destination_id: UUID) -> tuple[Reading, ...]:
    """The last reading of each part, oldest first."""
    return to_structs(await connection.fetch(SQL["readings"], destination_id), Reading)


async def add_readings(
    connection: Connection,
    destination_id: UUID,
    parts: int,
    read: Sequence[int],
    read_at: datetime,
    run_id: UUID,
) -> None:
    """What was in the repository at *read_at* is covered."""
    await connection.execute(
        SQL["add_readings"], destination_id, parts, list(read), read_at, run_id
    )


async def was_checked(connection: Connection, destination_id: UUID, at: datetime) -> None:
    """Its structure was looked at, whatever was found."""
    await connection.execute(SQL["was_checked"], destination_id, at)


async def add_damage(
    connection: Connection,
    destination_id: UUID,
    packs: Sequence[str],
    missing: Sequence[str],
    snapshot_ids: Sequence[str],
    now: datetime,
    run_id: UUID,
) -> tuple[str, ...]:
    """Those of the damaged *packs* that were not known yet."""
    gone = set(missing)
    rows = await connection.fetch(
        SQL["add_damage"],
        destination_id,
        list(packs),
        [pack in gone for pack in packs],
        list(snapshot_ids),
        now,
        run_id,
    )
    return tuple(row["pack"] for row in rows)


async def clear_damage(
    connection: Connection, destination_id: UUID, parts: int, read: Sequence[int], now: datetime
) -> tuple[str, ...]:
    """Take back what a sound look at these parts would have seen; the packs, '' for the rest."""
    rows = await connection.fetch(SQL["clear_damage"], destination_id, parts, list(read), now)
    return tuple(sorted(row["pack"] for row in rows))


async def damage(connection: Connection, destination_id: UUID) -> tuple[Damage, ...]:
    """What is known to be damaged, oldest first."""
    return to_structs(await connection.fetch(SQL["damage"], destination_id), Damage)


async def has_unfinished_check(connection: Connection, destination_id: UUID) -> bool:
    """Whether one is queued or going."""
    found: bool = await connection.fetchval(SQL["unfinished_check"], destination_id)
    return found


async def add_stats(
    connection: Connection,
    destination_id: UUID,
    stats: RepositoryStats,
    now: datetime,
    timezone: str,
) -> None:
    """Keep them as the day's, and the size as the destination's."""
    await connection.execute(
        SQL["add_stats"],
        destination_id,
        now.astimezone(ZoneInfo(timezone)).date(),
        now,
        stats.raw_size,
        stats.uncompressed_size,
        stats.restore_size,
        stats.snapshots_count,
        stats.compression_ratio,
        stats.compression_space_saving,
    )
    await connection.execute(SQL["set_size"], destination_id, stats.raw_size)


async def stats(connection: Connection, destination_id: UUID, days: int) -> tuple[StatsDay, ...]:
    """So many days at most, newest first."""
    return to_structs(await connection.fetch(SQL["stats"], destination_id, days), StatsDay)


async def prices(connection: Connection) -> dict[str, float]:
    """USD for a TB and month, by provider, where a person has set them."""
    return {row["provider"]: row["per_tb_month"] for row in await connection.fetch(SQL["prices"])}


async def set_price(
    connection: Connection, provider: str, per_tb_month: float, now: datetime
) -> None:
    """Set one, or change it."""
    await connection.execute(SQL["set_price"], provider, per_tb_month, now)
