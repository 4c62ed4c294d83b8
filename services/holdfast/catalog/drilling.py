"""Drills: which snapshot is proved, from which destination, and where."""

from uuid import UUID

from holdfast.catalog.backups import resolve
from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.device import far_address
from holdfast.catalog.store import destinations, devices, drills, runs
from holdfast.catalog.store.drills import ToDrill
from holdfast.catalog.store.pool import Connection
from holdfast.events.drilling import DrillRequested
from holdfast.events.due import DrillDue
from holdfast.events.run import Operation, Trigger
from holdfast.kernel.errors import ConflictError, NotFoundError
from holdfast.kernel.ids import derived_id
from holdfast.telemetry.logs import Log

log = Log("catalog")


class NothingToDrillError(ConflictError):
    """The configuration has no snapshot that could be restored now."""

    code = "nothing_to_drill"
    guidance = "Back it up first, to a destination that is switched on."


class AlreadyDrilledError(ConflictError):
    """A drill of this configuration has not ended."""

    code = "drill_not_ended"
    guidance = "Wait for that run, or cancel it."


async def queue_due_drill(connection: Connection, event: DrillDue, deps: Deps) -> None:
    """Remember the time, and queue a drill, if there is anything to drill and none at work."""
    await runs.lock_admission(connection)
    configuration_id = event.configuration_id
    if not await drills.was_due(connection, configuration_id, event.scheduled_for):
        return
    run_id = derived_id("drill", configuration_id, event.scheduled_for.isoformat())
    try:
        wanted = await to_drill(connection, configuration_id)
        await queue_drill(connection, wanted, run_id, deps, due=event)
    except (ConflictError, NotFoundError) as error:
        log.info("drill_skipped", configuration_id=str(configuration_id), reason=error.message)


async def to_drill(connection: Connection, configuration_id: UUID) -> ToDrill:
    """The newest snapshot, at the destination that was not tried for the longest time.

    Raises NothingToDrillError.
    """
    found = await drills.to_drill(connection, configuration_id)
    if found is None:
        raise NothingToDrillError
    return found


async def queue_drill(
    connection: Connection,
    wanted: ToDrill,
    run_id: UUID,
    deps: Deps,
    *,
    due: DrillDue | None = None,
) -> None:
    """Queue it; a run that was queued before is not queued again.

    Raises AlreadyDrilledError: two drills of a configuration have one scratch directory.
    """
    unfinished = await drills.unfinished(connection, wanted.configuration_id)
    if unfinished is not None:
        raise AlreadyDrilledError(f"Run {unfinished} drills this configuration already.")
    resolved = await resolve(connection, wanted.configuration_id)
    settings, app = resolved.configuration.drill, resolved.app
    chosen = await devices.find(connection, settings.device_id) if settings.device_id else None
    device = chosen or resolved.device
    addresses = await destinations.addresses(connection, [wanted.destination_id])
    work = DrillRequested(
        event_id=derived_id(DrillRequested.TYPE, run_id),
        occurred_at=deps.now(),
        run_id=run_id,
        site=device.site,
        configuration_id=wanted.configuration_id,
        app_id=app.id if app else None,
        app_name=resolved.name,
        address=addresses[wanted.destination_id],
        restic_snapshot_id=wanted.restic_snapshot_id,
        backup_run_id=wanted.run_id,
        device=far_address(device),
        mode=settings.mode,
        scratch_path=settings.scratch_path,
        most_bytes=settings.most_bytes,
        found=app.found if app else None,
        probes=settings.probes,
    )
    await runs.enqueue(
        connection,
        runs.NewRun(
            operation=Operation.DRILL,
            work=work,
            trigger=Trigger.SCHEDULE if due else Trigger.MANUAL,
            configuration_id=wanted.configuration_id,
            app_id=work.app_id,
            device_id=device.id,
            scheduled_for=due.scheduled_for if due else None,
        ),
    )
