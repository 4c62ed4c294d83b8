"""The ledger of due times: each has a row, and each row an outcome."""

from datetime import datetime
from uuid import UUID

from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import to_structs
from holdfast.catalog.store.sql import load
from holdfast.events.queries import ScheduleEntry

SQL = load("ledger")


async def record(
    connection: Connection,
    configuration_id: UUID,
    scheduled_for: datetime,
    outcome: str,
    now: datetime,
    *,
    reason: str = "",
    run_id: UUID | None = None,
) -> bool:
    """Write what became of a due time.

    False: it is on record already, or there never was such a configuration.
    """
    added = await connection.fetchval(
        SQL["record_due"], configuration_id, scheduled_for, outcome, reason, run_id, now
    )
    return added is not None


async def is_recorded(
    connection: Connection, configuration_id: UUID, scheduled_for: datetime
) -> bool:
    """Whether this due time is on record."""
    found: bool = await connection.fetchval(SQL["is_recorded"], configuration_id, scheduled_for)
    return found


async def prune_was_due(
    connection: Connection, destination_id: UUID, scheduled_for: datetime
) -> None:
    """Remember the time, so that it is not due again."""
    await connection.execute(SQL["prune_was_due"], destination_id, scheduled_for)


async def schedules(connection: Connection) -> tuple[ScheduleEntry, ...]:
    """All that is enabled and comes due."""
    return to_structs(await connection.fetch(SQL["schedules"]), ScheduleEntry)
