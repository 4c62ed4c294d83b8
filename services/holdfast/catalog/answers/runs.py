"""Questions about runs."""

from datetime import timedelta
from uuid import UUID

from holdfast.catalog.backups import Start, resolve, start_backups, usable_addresses
from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.cursor import Place, checked_limit, cut, from_cursor
from holdfast.catalog.ending import end_here
from holdfast.catalog.store import outbox, runs
from holdfast.catalog.store.pool import Connection, reading, transaction
from holdfast.events.queries import CancelRun, GetRun, ListRuns, StartBackup, WaitForRun
from holdfast.events.run import RunCancelRequested, RunStatus, Trigger
from holdfast.events.views import BackupStarted, RunPage, RunView
from holdfast.kernel.errors import ConflictError, NotFoundError
from holdfast.kernel.ids import derived_id, new_id

MOST_WAIT_SECONDS = 30.0


class RunEndedError(ConflictError):
    """The run has ended already."""

    code = "run_ended"


async def answer_start_backup(query: StartBackup, deps: Deps) -> BackupStarted:
    """Queue a backup now, or tell of the one that is queued or going already."""
    run_id = new_id()
    async with transaction(deps.pool) as connection:
        await runs.lock_admission(connection)
        resolved = await resolve(connection, query.configuration_id)
        unfinished = await runs.unfinished_backups(connection, [query.configuration_id])
        going = unfinished.get(query.configuration_id)
        if going is None:
            start = Start(resolved=resolved, run_id=run_id, trigger=Trigger.MANUAL)
            addresses = await usable_addresses(connection, [resolved.policy])
            await start_backups(connection, [start], addresses, deps)
        view = await _found(connection, going or run_id)
    deps.wake.set()
    return BackupStarted(
        snapshot_id=view.snapshot_ids[0],
        run_id=view.id,
        status=view.status,
        started_at=view.started_at or view.queued_at,
    )


async def answer_get_run(query: GetRun, deps: Deps) -> RunView:
    """One run."""
    async with reading(deps.pool) as connection:
        return await _found(connection, query.run_id)


async def answer_list_runs(query: ListRuns, deps: Deps) -> RunPage:
    """A page of runs, newest first."""
    limit = checked_limit(query.limit)
    after = from_cursor(query.cursor) if query.cursor else None
    async with reading(deps.pool) as connection:
        rows = await runs.listed(connection, query, after)
    page, cursor = cut(rows, limit, lambda last: Place(last.queued_at, last.id))
    return RunPage(runs=page, next_cursor=cursor)


async def answer_wait_for_run(query: WaitForRun, deps: Deps) -> RunView:
    """The run once it has ended, or as it stands when the time is up."""
    seconds = min(max(query.timeout_seconds, 0.0), MOST_WAIT_SECONDS)
    until = deps.now() + timedelta(seconds=seconds)
    with deps.waiter.watch(query.run_id) as ended:
        while True:
            async with reading(deps.pool) as connection:
                view = await _found(connection, query.run_id)
            left = (until - deps.now()).total_seconds()
            if view.status.is_outcome or left <= 0:
                return view
            await ended.wait(left)


async def answer_cancel_run(query: CancelRun, deps: Deps) -> RunView:
    """Cancel it: at once when no executor has it, otherwise that one is told.

    Raises RunEndedError.
    """
    now = deps.now()
    async with transaction(deps.pool) as connection:
        await runs.lock_admission(connection)
        run = await runs.lock(connection, query.run_id)
        if run is None:
            raise _missing(query.run_id)
        if run.status.is_outcome:
            raise RunEndedError(f"The run ended as {run.status.value} already.")
        # One that was claimed ever may have left a lock or a restic behind: whoever takes
        # it over must clean up first, so it is not ended here.
        # One that is queued again was given back in order: nothing of it is left.
        if run.claim == 0 or run.status is RunStatus.QUEUED:
            await end_here(connection, run.id, RunStatus.CANCELLED, None, now)
            await runs.admit_queued(connection, now)
        else:
            await runs.ask_to_cancel(connection, run.id, now)
            await outbox.add(
                connection,
                RunCancelRequested(
                    event_id=derived_id(RunCancelRequested.TYPE, run.id),
                    occurred_at=now,
                    run_id=run.id,
                ),
            )
        view = await _found(connection, run.id)
    deps.wake.set()
    return view


async def _found(connection: Connection, run_id: UUID) -> RunView:
    view = await runs.find(connection, run_id)
    if view is None:
        raise _missing(run_id)
    return view


def _missing(run_id: UUID) -> NotFoundError:
    return NotFoundError(f"There is no run {run_id}.")
