"""Events in, rows out.  Each may come twice and says the same thing both times.

No list of event ids is needed for that: a due time is unique in the ledger, a run by its
id, and an outcome is written only where there is none.
"""

from datetime import timedelta

from msgspec.structs import replace

from holdfast.bus.errors import RetryLater
from holdfast.catalog.adopting import record_found
from holdfast.catalog.deps import Deps
from holdfast.catalog.discovering import record_discovery
from holdfast.catalog.domain.ledger import AHEAD
from holdfast.catalog.domain.run import is_newer
from holdfast.catalog.drilling import queue_due_drill
from holdfast.catalog.due import record_due
from holdfast.catalog.ending import record_end
from holdfast.catalog.store import destinations, devices, ledger, runs, snapshots
from holdfast.catalog.store.pool import Connection, transaction
from holdfast.catalog.verifying import queue_due_check
from holdfast.events.discovery import DeviceDiscovered, EngineChanged
from holdfast.events.due import BackupDue, CheckDue, DrillDue, PruneDue
from holdfast.events.retention import ForgetRequested, PruneRequested
from holdfast.events.run import Operation, RunCompleted, Trigger
from holdfast.events.snapshot import SnapshotCompleted, SnapshotFailed, SnapshotsFound
from holdfast.events.work import ForgetAdmitted, PruneAdmitted
from holdfast.kernel.errors import UnavailableError
from holdfast.kernel.ids import derived_id
from holdfast.telemetry.logs import Log

log = Log("catalog")

ORDER_SECONDS = 0.2
"""A run's end may overtake the word on its snapshots, which is on another subject."""

ORDER_PATIENCE = timedelta(minutes=1)
"""For so long after it was first heard; not after it was said, for if the catalog was away
the words on the snapshots may still wait in the stream."""


async def on_backup_due(event: BackupDue, deps: Deps) -> None:
    """Write the due times down, and start the backups unless there is a reason not to.

    What cannot be written down with the others is tried alone, so that one configuration
    with which something is wrong does not keep back all that are due with it.
    """
    try:
        async with transaction(deps.pool) as connection:
            await record_due(connection, event.due, event.occurred_at, deps)
    except UnavailableError:
        raise
    except Exception:
        if len(event.due) == 1:
            raise
        log.exception("backups_due_one_by_one", configurations=len(event.due))
        await _each_alone(event, deps)
    deps.wake.set()


async def _each_alone(event: BackupDue, deps: Deps) -> None:
    """Each due time in a transaction of its own; what goes wrong is raised when all had theirs."""
    wrong: list[Exception] = []
    for each in event.due:
        try:
            async with transaction(deps.pool) as connection:
                await record_due(connection, [each], event.occurred_at, deps)
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - raised below
            wrong.append(error)
    if wrong:
        raise wrong[0]


async def on_prune_due(event: PruneDue, deps: Deps) -> None:
    """Remember it, unless it lies in the future; whether there is anything to free is for
    retention to ask."""
    if _is_ahead(event, deps):
        return
    async with transaction(deps.pool) as connection:
        await ledger.prune_was_due(connection, event.destination_id, event.scheduled_for)


async def on_check_due(event: CheckDue, deps: Deps) -> None:
    """Queue a check that reads what is to be read today, unless it lies in the future."""
    if _is_ahead(event, deps):
        return
    async with transaction(deps.pool) as connection:
        await queue_due_check(connection, event, deps)
    deps.wake.set()


async def on_drill_due(event: DrillDue, deps: Deps) -> None:
    """Queue a drill, unless it lies in the future or there is a reason not to."""
    if _is_ahead(event, deps):
        return
    async with transaction(deps.pool) as connection:
        await queue_due_drill(connection, event, deps)
    deps.wake.set()


async def on_snapshot_completed(event: SnapshotCompleted, deps: Deps) -> None:
    """Write down what restic made, if the teller still holds the run."""
    async with transaction(deps.pool) as connection:
        if await _is_current(connection, event):
            await snapshots.complete(connection, event)


async def on_snapshot_failed(event: SnapshotFailed, deps: Deps) -> None:
    """Write down that there is none, if the teller still holds the run."""
    async with transaction(deps.pool) as connection:
        if await _is_current(connection, event):
            await snapshots.fail(connection, event)


async def on_snapshots_found(event: SnapshotsFound, deps: Deps) -> None:
    """Write down what a repository holds; what is on record already stays as it is."""
    async with transaction(deps.pool) as connection:
        if await _is_current(connection, event):
            if not await destinations.addresses(connection, [event.destination_id]):
                # It has another id since a rebuild, which tells all of this again.
                log.info("destination_gone", destination_id=str(event.destination_id))
                return
            run = await runs.lock(connection, event.run_id)
            rebuilding = run is not None and run.trigger is Trigger.REBUILD
            await record_found(connection, event, deps.now(), rebuilding=rebuilding)


async def on_device_discovered(event: DeviceDiscovered, deps: Deps) -> None:
    """Write down which apps a device has, and protect those that are new."""
    async with transaction(deps.pool) as connection:
        if await _is_current(connection, event):
            await record_discovery(connection, event, deps)
    deps.wake.set()


async def on_engine_changed(event: EngineChanged, deps: Deps) -> None:
    """Have the device's engines asked at the keeper's next look, if they are asked unasked."""
    async with transaction(deps.pool) as connection:
        await devices.discover_soon(connection, event.device_id, deps.now())


async def on_run_completed(event: RunCompleted, deps: Deps) -> None:
    """Write down a run's outcome, if its teller still holds it, and what follows from it."""
    async with transaction(deps.pool) as connection:
        await runs.lock_admission(connection)
        run = await runs.lock(connection, event.run_id)
        if run is None or run.claim != event.claim or run.status.is_outcome:
            log.info("end_passed_over", run_id=str(event.run_id), claim=event.claim)
        else:
            ended = await snapshots.of_run(connection, run.id)
            if not all(each.status.is_outcome for each in ended):
                _wait_for_snapshots(event, deps)
            await record_end(connection, run, event, deps)
    deps.waiter.settled(event.run_id)
    deps.wake.set()


async def on_forget_requested(event: ForgetRequested, deps: Deps) -> None:
    """Queue a run that forgets those of the snapshots that are the configuration's own.

    One that waits already takes over the newer plan: forgets wait for backups, and each needs
    the repository for itself.
    """
    async with transaction(deps.pool) as connection:
        await runs.lock_admission(connection)
        known = {
            each.restic_snapshot_id
            for each in await snapshots.known(
                connection, event.configuration_id, event.destination_id
            )
        }
        forget = tuple(each for each in event.restic_snapshot_ids if each in known)
        if not forget or len(forget) >= len(known):
            # Never the last one, whatever was asked for.
            log.info("nothing_to_forget", asked=len(event.restic_snapshot_ids), known=len(known))
            return
        addresses = await destinations.addresses(connection, [event.destination_id])
        work = ForgetAdmitted(
            event_id=derived_id(ForgetAdmitted.TYPE, event.run_id),
            occurred_at=deps.now(),
            run_id=event.run_id,
            site=await destinations.site_of(connection, event.destination_id, deps.settings.site),
            configuration_id=event.configuration_id,
            address=addresses[event.destination_id],
            restic_snapshot_ids=forget,
            planned_at=event.occurred_at,
        )
        waiting = await runs.queued_forget(connection, event.configuration_id, event.destination_id)
        if waiting is not None:
            if is_newer(work, waiting.event):
                await runs.rework(connection, waiting.id, replace(work, run_id=waiting.id))
            return
        await runs.enqueue(
            connection,
            runs.NewRun(
                operation=Operation.FORGET,
                work=work,
                trigger=Trigger.RETENTION,
                configuration_id=event.configuration_id,
            ),
        )
    deps.wake.set()


async def on_prune_requested(event: PruneRequested, deps: Deps) -> None:
    """Queue a run that frees a repository's space."""
    async with transaction(deps.pool) as connection:
        if not await destinations.needs_prune(connection, event.destination_id):
            return
        addresses = await destinations.addresses(connection, [event.destination_id])
        work = PruneAdmitted(
            event_id=derived_id(PruneAdmitted.TYPE, event.run_id),
            occurred_at=deps.now(),
            run_id=event.run_id,
            site=await destinations.site_of(connection, event.destination_id, deps.settings.site),
            address=addresses[event.destination_id],
        )
        await runs.enqueue(
            connection,
            runs.NewRun(operation=Operation.PRUNE, work=work, trigger=Trigger.RETENTION),
        )
    deps.wake.set()


def _wait_for_snapshots(event: RunCompleted, deps: Deps) -> None:
    """Raise RetryLater, until it has taken too long."""
    if deps.waiter.overtaken_for(event.run_id, deps.now()) < ORDER_PATIENCE:
        raise RetryLater(ORDER_SECONDS)
    log.warning("snapshots_never_told", run_id=str(event.run_id), claim=event.claim)


async def _is_current(
    connection: Connection,
    event: SnapshotCompleted | SnapshotFailed | SnapshotsFound | DeviceDiscovered,
) -> bool:
    """Whether who says this holds the run, or was the last to: its claim's number is the newest.

    After the run's end too, for its end may have overtaken this.
    """
    run = await runs.lock(connection, event.run_id)
    if run is None or run.claim != event.claim:
        log.warning("fenced_out", run_id=str(event.run_id), claim=event.claim)
        return False
    return True


def _is_ahead(event: PruneDue | CheckDue | DrillDue, deps: Deps) -> bool:
    """Whether a scheduler said it whose clock has jumped: it will be said again."""
    if event.scheduled_for <= deps.now() + AHEAD:
        return False
    log.warning("due_in_the_future", event_type=event.TYPE, event_id=str(event.event_id))
    return True
