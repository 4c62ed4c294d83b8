"""The ledger of due times: each has a row, and each row an outcome."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from holdfast.catalog.domain.cursor import Place
from holdfast.catalog.domain.ledger import Verdict
from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import to_structs
from holdfast.catalog.store.sql import load
from holdfast.events.queries import ScheduleEntry
from holdfast.events.views import LedgerRow

SQL = load("ledger")


async def record(
    connection: Connection,
    configuration_id: UUID,
    verdicts: Sequence[Verdict],
    now: datetime,
    *,
    run_id: UUID | None = None,
) -> int:
    """Write what became of due times, all with the same run if any; how many were new.

    What is on record already stays as it is, and where there never was such a configuration
    nothing is written.
    """
    rows = await connection.fetch(
        SQL["record_due"],
        configuration_id,
        [each.scheduled_for for each in verdicts],
        [each.outcome.value for each in verdicts],
        [each.reason for each in verdicts],
        run_id,
        now,
    )
    return len(rows)


async def is_recorded(
    connection: Connection, configuration_id: UUID, scheduled_for: datetime
) -> bool:
    """Whether this due time is on record."""
    found: bool = await connection.fetchval(SQL["is_recorded"], configuration_id, scheduled_for)
    return found


async def past(
    connection: Connection, configuration_id: UUID, limit: int, after: Place | None
) -> tuple[LedgerRow, ...]:
    """A page of a configuration's rows, newest first, and one more if there is."""
    rows = await connection.fetch(
        SQL["past"], configuration_id, None if after is None else after.at, limit + 1
    )
    return to_structs(rows, LedgerRow)


async def prune_was_due(
    connection: Connection, destination_id: UUID, scheduled_for: datetime
) -> None:
    """Remember the time, so that it is not due again."""
    await connection.execute(SQL["prune_was_due"], destination_id, scheduled_for)


async def schedules(
    connection: Connection, after_id: UUID | None, limit: int
) -> tuple[ScheduleEntry, ...]:
    """A page of all that comes due, by id: at least *limit* if there are, and all of the last."""
    rows = await connection.fetch(SQL["schedules"], after_id, limit)
    return to_structs(rows, ScheduleEntry)


async def schedules_of(
    connection: Connection, configuration_ids: Sequence[UUID]
) -> dict[UUID, ScheduleEntry]:
    """The entries of configurations, those that are switched off left out."""
    rows = await connection.fetch(SQL["schedules_of"], configuration_ids)
    return {row["id"]: to_structs([row], ScheduleEntry)[0] for row in rows if row["enabled"]}
