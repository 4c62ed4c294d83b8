"""Trying again, later, only where it failed and only for causes that may pass."""

from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.run import retry_time, retry_work, to_retry
from holdfast.catalog.store import configurations, runs, snapshots
from holdfast.catalog.store.pool import Connection
from holdfast.events.run import Operation, Trigger
from holdfast.events.work import BackupRequested


async def queue_retry(connection: Connection, run: runs.RunRow, deps: Deps) -> None:
    """Queue the next try of a backup for the destinations that are worth one, if any.

    None for a configuration that was deleted meanwhile: nobody wants that backup any more.
    """
    now, work = deps.now(), run.event
    wanted = run.configuration_id and await configurations.find(connection, run.configuration_id)
    not_before = retry_time(run.attempt, deps.settings.retry_delays, now)
    missing = to_retry(await snapshots.of_run(connection, run.id))
    if not (wanted and missing) or not_before is None or not isinstance(work, BackupRequested):
        return
    again = retry_work(work, missing, now)
    not_after = await runs.window_end(connection, run.id)
    if not_after is not None and not_before >= not_after:
        return  # a retry, too, may only start in the window; the next due time is the next try
    new = runs.NewRun(
        operation=Operation.BACKUP,
        work=again,
        trigger=Trigger.RETRY,
        configuration_id=run.configuration_id,
        app_id=run.app_id,
        device_id=run.device_id,
        attempt=run.attempt + 1,
        retry_of=run.id,
        not_before=not_before,
        not_after=not_after,
    )
    if await runs.add(connection, [new]):
        await snapshots.add_rows(connection, [again], now)
