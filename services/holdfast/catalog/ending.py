"""Ending a run: its outcome, and what follows from it, in one transaction."""

from datetime import datetime
from uuid import UUID

from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.run import LOST, after_last_try, retry_time
from holdfast.catalog.retrying import queue_retry
from holdfast.catalog.store import destinations, outbox, runs, snapshots
from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.runs import RunRow
from holdfast.events.run import (
    Failure,
    ForgetResult,
    InitResult,
    Operation,
    ProtectionTestResult,
    PruneResult,
    RunCompleted,
    RunStatus,
)
from holdfast.kernel.ids import derived_id
from holdfast.telemetry.logs import Log

log = Log("catalog")


async def record_end(connection: Connection, run: RunRow, event: RunCompleted, deps: Deps) -> None:
    """Write what the executor says its run came to, and do what follows from it."""
    now = deps.now()
    # A destination that nothing was said of: the run is over, so its row must be too.
    await snapshots.end_rest(connection, run.id, _rest(event.status), event.failure or LOST, now)
    is_last = retry_time(run.attempt, deps.settings.retry_delays, now) is None
    ended = await runs.end(
        connection,
        run.id,
        event.status,
        event.occurred_at,
        failure=after_last_try(event.failure, run.attempt) if is_last else event.failure,
        result=event.result,
    )
    if not ended:
        return
    await _follow(connection, run, event, now)
    if run.operation is Operation.BACKUP and event.status in (RunStatus.PARTIAL, RunStatus.FAILED):
        await queue_retry(connection, run, deps)
    await runs.admit_queued(connection, now)


async def end_here(
    connection: Connection, run_id: UUID, status: RunStatus, failure: Failure | None, now: datetime
) -> bool:
    """End a run that no executor holds, and tell it in the executor's stead.

    False: it has ended already.
    """
    run = await runs.lock(connection, run_id)
    if run is None or not await runs.end(connection, run_id, status, now, failure=failure):
        return False
    await snapshots.end_rest(connection, run_id, status, failure, now)
    work = run.event
    event = RunCompleted(
        event_id=derived_id(RunCompleted.TYPE, run_id, "catalog"),
        occurred_at=now,
        run_id=run_id,
        claim=run.claim,
        operation=run.operation,
        status=status,
        started_at=work.occurred_at,
        configuration_id=run.configuration_id,
        app_id=run.app_id,
        app_name=getattr(work, "app_name", ""),
        destination_ids=run.destination_ids,
        failure=failure,
    )
    await outbox.add(connection, event)
    await _follow(connection, run, event, now)
    return True


async def _follow(connection: Connection, run: RunRow, event: RunCompleted, now: datetime) -> None:
    """What an outcome means for the destination."""
    for destination_id in run.destination_ids:
        match run.operation, event.result:
            case Operation.INIT, InitResult(repository_id=repository_id):
                await destinations.destination_became_ready(
                    connection, destination_id, repository_id, now
                )
            case Operation.INIT, _:
                await destinations.destination_failed(connection, destination_id)
            case Operation.FORGET, ForgetResult(restic_snapshot_ids=forgotten):
                await snapshots.forget(connection, destination_id, forgotten, now)
                await destinations.prune_needed(connection, destination_id)
            case Operation.PRUNE, PruneResult(repository_size=size):
                await destinations.pruned(connection, destination_id, size, now)
            case Operation.PROTECTION_TEST, ProtectionTestResult() as result:
                await destinations.protection_tested(connection, destination_id, result, now)
            case Operation.BACKUP, _ if event.status is not RunStatus.SUCCESS:
                # A backup that broke off leaves packs that no snapshot needs.
                await destinations.prune_needed(connection, destination_id)
            case _:
                pass


def _rest(status: RunStatus) -> RunStatus:
    return RunStatus.CANCELLED if status is RunStatus.CANCELLED else RunStatus.FAILED
