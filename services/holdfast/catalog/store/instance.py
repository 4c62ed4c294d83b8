"""The instance's own row: who it is, and when its recovery kit was handed out."""

from datetime import datetime
from uuid import UUID

from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import the_row
from holdfast.catalog.store.sql import load
from holdfast.events.views import RecoveryKitState, RecoveryKitStatus

SQL = load("instance")


async def name_instance(connection: Connection, candidate: UUID, now: datetime) -> UUID:
    """The instance's id: *candidate* if it had none."""
    await connection.execute(SQL["add_instance"], candidate, now)
    found: UUID = await connection.fetchval(SQL["instance_id"])
    return UUID(int=found.int)


async def kit_was_made(connection: Connection, now: datetime) -> None:
    """The recovery kit was handed out."""
    await connection.execute(SQL["kit_was_made"], now)


async def kit_status(connection: Connection) -> RecoveryKitStatus:
    """Whether somebody has a kit that opens everything."""
    row = the_row(await connection.fetchrow(SQL["kit_state"]))
    made_at = row["made_at"]
    if not row["wanted"]:
        state = RecoveryKitState.NOT_NEEDED
    elif made_at is None:
        state = RecoveryKitState.NEVER_MADE
    else:
        state = RecoveryKitState.OUTDATED if row["lacks_some"] else RecoveryKitState.CURRENT
    return RecoveryKitStatus(state=state, made_at=made_at)
