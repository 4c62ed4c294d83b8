"""Runs: queued, admitted, claimed, ended.  The conditions that make it safe are in the SQL."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from holdfast.catalog.domain.admission import EXCLUSIVE, RUNS_PER_DESTINATION, Candidate, admit
from holdfast.catalog.domain.cursor import Place
from holdfast.catalog.store import outbox
from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import the_row, to_struct, to_structs
from holdfast.catalog.store.sql import load
from holdfast.events.base import Work
from holdfast.events.queries import ListRuns
from holdfast.events.registry import EVENTS
from holdfast.events.run import Failure, Operation, Result, RunStatus, Trigger
from holdfast.events.views import RunView
from holdfast.events.work import BackupRequested
from holdfast.kernel.ids import new_id

SQL = load("runs")

CROWD = 50

ENDED_CHANNEL = "holdfast_run_ended"
"""Notified with the run's id when it has an outcome."""


class NewRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run to queue.  Its id, site and destinations are those of its work."""

    operation: Operation
    work: Work
    trigger: Trigger = Trigger.MANUAL
    configuration_id: UUID | None = None
    app_id: UUID | None = None
    device_id: UUID | None = None
    scheduled_for: datetime | None = None
    attempt: int = 1
    retry_of: UUID | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    """The end of the window in which it may start."""

    @property
    def destination_ids(self) -> tuple[UUID, ...]:
        """Whose repositories it uses."""
        if isinstance(self.work, BackupRequested):
            return tuple(target.address.destination_id for target in self.work.targets)
        address = getattr(self.work, "address", None)
        return () if address is None else (address.destination_id,)


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run as its end is decided from."""

    id: UUID
    operation: Operation
    trigger: Trigger
    status: RunStatus
    configuration_id: UUID | None
    app_id: UUID | None
    device_id: UUID | None
    destination_ids: tuple[UUID, ...]
    attempt: int
    claim: int
    claim_expires_at: datetime | None
    deaths: int
    waiting_since: datetime | None
    work_type: str
    work: Any

    @property
    def event(self) -> Work:
        """What an executor is given for it."""
        work = msgspec.convert(self.work, EVENTS[self.work_type], strict=False)
        if not isinstance(work, Work):
            raise TypeError(f"{self.work_type} is no work")
        return work

    def claimed(self, now: datetime) -> bool:
        """Whether an executor holds it right now."""
        return self.claim_expires_at is not None and self.claim_expires_at > now


async def enqueue(connection: Connection, new: NewRun) -> bool:
    """Queue it, and admit what may start.  False: this run was queued before."""
    added = bool(await add(connection, [new]))
    if added:
        await admit_queued(connection, new.work.occurred_at)
    return added


async def add(connection: Connection, new: Sequence[NewRun]) -> frozenset[UUID]:
    """Only queue them; those of which it is new, for a run is queued once."""
    await lock_admission(connection)
    added = await connection.fetchmany(SQL["add_run"], [_columns(each) for each in new])
    return frozenset(row["id"] for row in added)


async def add_ended(
    connection: Connection, new: NewRun, destination_id: UUID, ended_at: datetime
) -> None:
    """Keep a run of the past, with one destination more if it is kept already."""
    work = new.work
    await connection.execute(
        SQL["add_ended"],
        work.run_id,
        new.operation,
        new.trigger,
        new.configuration_id,
        new.app_id,
        destination_id,
        work.TYPE,
        work,
        work.occurred_at,
        ended_at,
    )


async def set_result(connection: Connection, run_id: UUID, result: Result) -> None:
    """Say more of what an ended run came to."""
    await connection.execute(SQL["set_result"], run_id, result)


def _columns(new: NewRun) -> tuple[Any, ...]:
    """As ``add_run`` takes them."""
    work = new.work
    return (
        work.run_id,
        new.operation,
        new.trigger,
        new.configuration_id,
        new.app_id,
        new.device_id,
        new.destination_ids,
        new.operation in EXCLUSIVE,
        work.TYPE,
        work,
        new.scheduled_for,
        new.attempt,
        new.retry_of,
        new.not_before,
        work.occurred_at,
        new.not_after,
    )


async def admit_queued(connection: Connection, now: datetime) -> tuple[UUID, ...]:
    """Let start what may: in this transaction, one transaction at a time."""
    await lock_admission(connection)
    rows = await connection.fetch(SQL["unfinished"], now)
    queued = [to_struct(row, Candidate) for row in rows if row["status"] == RunStatus.QUEUED]
    active = [to_struct(row, Candidate) for row in rows if row["status"] != RunStatus.QUEUED]
    limited = await connection.fetch(SQL["limits"], RUNS_PER_DESTINATION)
    limits = {row["id"]: row["max_runs"] for row in limited}
    admitted = admit(queued, active, now, limits)
    for run_id in admitted:
        row = to_struct(the_row(await connection.fetchrow(SQL["admit_run"], run_id, now)), RunRow)
        await connection.execute(SQL["start_snapshots"], run_id)
        # Admitted again after a wait: its old id would be dropped as a repeat.
        await outbox.add_work(connection, row.work_type, row.work, new_id() if row.claim else None)
    return admitted


async def lock_admission(connection: Connection) -> None:
    """Nobody else queues, admits or ends a run before the transaction ends.

    First in any that does, before it locks a row: admission locks the runs that it lets
    in, and two that took these locks in different orders would wait for each other.
    """
    await connection.execute(SQL["lock_admission"])


async def lock(connection: Connection, run_id: UUID) -> RunRow | None:
    """The run, and nobody else ends or claims it before the transaction ends."""
    row = await connection.fetchrow(SQL["lock_run"], run_id)
    return None if row is None else to_struct(row, RunRow)


async def claim(
    connection: Connection, run_id: UUID, executor_id: str, now: datetime, seconds: float
) -> int:
    """The new claim's number.  The caller holds the row and has seen that it may be claimed."""
    number: int = await connection.fetchval(
        SQL["claim_run"], run_id, executor_id, now, now + timedelta(seconds=seconds)
    )
    return number


async def heartbeat(
    connection: Connection, run_id: UUID, number: int, now: datetime, seconds: float
) -> bool | None:
    """Whether it is to be cancelled; None when the claim is not held any more."""
    wanted: bool | None = await connection.fetchval(
        SQL["heartbeat"], run_id, number, now + timedelta(seconds=seconds)
    )
    return wanted


async def release(connection: Connection, run_id: UUID, number: int) -> bool:
    """Whoever asks next may have it.  False: the claim is not held any more."""
    return await connection.fetchval(SQL["release_run"], run_id, number) is not None


async def requeue(
    connection: Connection,
    run_id: UUID,
    number: int,
    waiting_for: str,
    not_before: datetime,
    now: datetime,
) -> bool | None:
    """Queue it again until what it waits for is gone; whether it is to be cancelled.

    None: the claim is not held any more.
    """
    cancel: bool | None = await connection.fetchval(
        SQL["requeue_run"], run_id, number, not_before, waiting_for, now
    )
    return cancel


async def dead_too_often(connection: Connection, now: datetime, most: int) -> tuple[UUID, ...]:
    """Runs that *most* executors in all have died of."""
    rows = await connection.fetch(SQL["dead_too_often"], now, most)
    return tuple(row["id"] for row in rows)


async def tell_waiting(connection: Connection, run_id: UUID, waiting_for: str) -> None:
    """Say what an admitted run waits for."""
    await connection.execute(SQL["tell_waiting"], run_id, waiting_for)


async def ask_to_cancel(connection: Connection, run_id: UUID, now: datetime) -> None:
    """The executor reads it with its next heartbeat."""
    await connection.execute(SQL["ask_to_cancel"], run_id, now)


async def end(
    connection: Connection,
    run_id: UUID,
    status: RunStatus,
    now: datetime,
    *,
    failure: Failure | None = None,
    result: Result | None = None,
) -> bool:
    """Give it its outcome, once.  False: it had one already."""
    ended = await connection.fetchval(SQL["end_run"], run_id, status, now, failure, result)
    return ended is not None


async def pending_retries(
    connection: Connection, configuration_ids: Sequence[UUID]
) -> tuple[UUID, ...]:
    """Retries of configurations that have not started."""
    rows = await connection.fetch(SQL["pending_retries"], configuration_ids)
    return tuple(row["id"] for row in rows)


async def queued_forget(
    connection: Connection, configuration_id: UUID, destination_id: UUID
) -> RunRow | None:
    """The forget of a configuration at a destination that has not started, if there is one."""
    row = await connection.fetchrow(SQL["queued_forget"], configuration_id, destination_id)
    return None if row is None else to_struct(row, RunRow)


async def rework(connection: Connection, run_id: UUID, work: Work) -> None:
    """Have a queued run do *work* in place of what it was to do."""
    await connection.execute(SQL["rework"], run_id, work)


async def unfinished_backups(
    connection: Connection, configuration_ids: Sequence[UUID]
) -> dict[UUID, UUID]:
    """The backup of each configuration that is queued or going, retries that wait left out."""
    rows = await connection.fetch(SQL["unfinished_backups"], configuration_ids)
    return {row["configuration_id"]: row["id"] for row in rows}


class ListingRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that tells the files of a snapshot."""

    id: UUID
    status: RunStatus
    failure: Failure | None
    completed_at: datetime | None

    def ended_after(self, moment: datetime) -> bool:
        """Whether it did."""
        return self.completed_at is not None and self.completed_at > moment


async def newest_listing(connection: Connection, snapshot_id: UUID) -> ListingRun | None:
    """The last run that was to tell the files of a snapshot."""
    row = await connection.fetchrow(SQL["newest_listing"], str(snapshot_id))
    return None if row is None else to_struct(row, ListingRun)


async def silent(connection: Connection, before: datetime) -> tuple[RunRow, ...]:
    """Admitted runs of which nothing was heard since *before*."""
    return to_structs(await connection.fetch(SQL["silent_runs"], before), RunRow)


async def window_end(connection: Connection, run_id: UUID) -> datetime | None:
    """When the window ends in which it may start; None when there is none."""
    found: datetime | None = await connection.fetchval(SQL["window_end"], run_id)
    return found


async def expired(connection: Connection, now: datetime) -> tuple[UUID, ...]:
    """Queued runs whose window has ended."""
    return tuple(row["id"] for row in await connection.fetch(SQL["expired"], now))


async def is_crowded(connection: Connection) -> bool:
    """Whether so many are queued that one more can wait a second to be looked at."""
    found: bool = await connection.fetchval(SQL["is_crowded"], CROWD)
    return found


async def next_not_before(connection: Connection) -> datetime | None:
    """When the first of the waiting retries may start."""
    found: datetime | None = await connection.fetchval(SQL["next_not_before"])
    return found


async def counts(connection: Connection) -> tuple[int, int]:
    """How many are going, and how many wait."""
    row = await connection.fetchrow(SQL["count_unfinished"])
    return (0, 0) if row is None else (row["active"], row["queued"])


async def find(connection: Connection, run_id: UUID) -> RunView | None:
    """One run, or None."""
    row = await connection.fetchrow(SQL["run"], run_id)
    return None if row is None else _view(row)


async def listed(
    connection: Connection, query: ListRuns, after: Place | None
) -> tuple[RunView, ...]:
    """One page and the first row of the next, newest first."""
    rows = await connection.fetch(
        SQL["runs"],
        query.operation,
        query.status,
        query.configuration_id,
        query.app_id,
        None if after is None else after.at,
        None if after is None else after.id,
        query.limit + 1,
    )
    return tuple(_view(row) for row in rows)


def _view(row: Any) -> RunView:
    return msgspec.convert(dict(row), RunView)
