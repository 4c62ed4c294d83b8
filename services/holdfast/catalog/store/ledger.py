"""The ledger of due times: each has a row, and each row an outcome."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from holdfast.catalog.domain.cursor import Place
from holdfast.catalog.domain.ledger import VOID, Verdict
from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import to_structs
from holdfast.catalog.store.sql import load
from holdfast.events.queries import ScheduleEntry
from holdfast.events.views import LedgerRow

SQL = load("ledger")


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a configuration's due time."""

    configuration_id: UUID
    verdict: Verdict
    run_id: UUID | None = None
    """The run that it started."""


async def record(connection: Connection, rows: Sequence[Recorded], now: datetime) -> int:
    """Write what became of due times; how many were new.

    What is on record already stays as it is unless that is void, and where there never was
    such a configuration nothing is written.
    """
    new = await connection.fetch(
        SQL["record_due"],
        [each.configuration_id for each in rows],
        [each.verdict.scheduled_for for each in rows],
        [each.verdict.outcome.value for each in rows],
        [each.verdict.reason for each in rows],
        [each.run_id for each in rows],
        now,
        VOID,
    )
    return len(new)


async def recorded(
    connection: Connection, due: Sequence[tuple[UUID, datetime]]
) -> dict[tuple[UUID, datetime], datetime]:
    """Those of the configurations' due times that are on record, and since when."""
    rows = await connection.fetch(
        SQL["recorded"], [each[0] for each in due], [each[1] for each in due]
    )
    return {(row["configuration_id"], row["scheduled_for"]): row["recorded_at"] for row in rows}


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
    connection: Connection, after_id: UUID | None, limit: int, *, drills: bool
) -> tuple[ScheduleEntry, ...]:
    """A page of all that comes due, by id: at least *limit* if there are, and all of the last.

    *drills*: also those of configurations of which nobody said when; their schedule is empty.
    """
    rows = await connection.fetch(SQL["schedules"], after_id, limit, drills)
    return to_structs(rows, ScheduleEntry)


async def schedules_of(
    connection: Connection, configuration_ids: Sequence[UUID]
) -> dict[UUID, ScheduleEntry]:
    """The entries of configurations, those that are switched off left out."""
    rows = await connection.fetch(SQL["schedules_of"], configuration_ids)
    return {row["id"]: to_structs([row], ScheduleEntry)[0] for row in rows if row["enabled"]}
