"""Drills: when they were due, and what is to be drilled next."""

from datetime import datetime
from uuid import UUID

import msgspec

from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import to_struct
from holdfast.catalog.store.sql import load

SQL = load("drills")


class ToDrill(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot to be proved restorable."""

    configuration_id: UUID
    destination_id: UUID
    run_id: UUID
    """The backup that made it."""
    restic_snapshot_id: str


async def was_due(connection: Connection, configuration_id: UUID, scheduled_for: datetime) -> bool:
    """Remember the time, so that it is not due again.  False: the configuration is gone."""
    found = await connection.fetchval(SQL["drill_was_due"], configuration_id, scheduled_for)
    return found is not None


async def to_drill(connection: Connection, configuration_id: UUID) -> ToDrill | None:
    """The newest snapshot, at the destination that was not tried for the longest time."""
    row = await connection.fetchrow(SQL["to_drill"], configuration_id)
    return None if row is None else to_struct(row, ToDrill)


async def unfinished(connection: Connection, configuration_id: UUID) -> UUID | None:
    """The run that drills the configuration, or is to."""
    found: UUID | None = await connection.fetchval(SQL["unfinished_drill"], configuration_id)
    return found
