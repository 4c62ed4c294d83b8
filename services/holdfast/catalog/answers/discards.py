"""Removing what was there before an app's restore."""

from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.device import far_address
from holdfast.catalog.store import apps, devices, runs
from holdfast.catalog.store.pool import Connection, transaction
from holdfast.events.discarding import DiscardRequested
from holdfast.events.queries import DiscardPrevious
from holdfast.events.restoring import AppRestoreResult
from holdfast.events.run import Operation
from holdfast.events.views import DeviceView, RunAccepted
from holdfast.kernel.errors import ConflictError, HoldfastError, NotFoundError
from holdfast.kernel.ids import derived_id, new_id


async def answer_discard_previous(query: DiscardPrevious, deps: Deps) -> RunAccepted:
    """Queue it.  Whether that restore came to its good end the device itself knows."""
    run_id = new_id()
    async with transaction(deps.pool) as connection:
        app = await apps.find(connection, query.app_id)
        if app is None:
            raise NotFoundError(f"There is no app {query.app_id}.")
        device = await _restored_on(connection, query)
        work = DiscardRequested(
            event_id=derived_id(DiscardRequested.TYPE, run_id),
            occurred_at=deps.now(),
            run_id=run_id,
            site=device.site,
            app_id=app.id,
            app_name=app.name,
            restore_run_id=query.run_id,
            device=far_address(device),
        )
        new = runs.NewRun(
            operation=Operation.DISCARD_PREVIOUS, work=work, app_id=app.id, device_id=device.id
        )
        await runs.enqueue(connection, new)
        view = await runs.find(connection, run_id)
    deps.wake.set()
    if view is None:
        raise HoldfastError
    return RunAccepted(run_id=run_id, status=view.status)


async def _restored_on(connection: Connection, query: DiscardPrevious) -> DeviceView:
    """Where that restore was.  Raises NotFoundError and ConflictError."""
    restore = await runs.lock(connection, query.run_id)
    if (
        restore is None
        or restore.operation is not Operation.APP_RESTORE
        or restore.app_id != query.app_id
    ):
        raise NotFoundError(f"There is no restore {query.run_id} of this app.")
    if not restore.status.is_outcome:
        raise ConflictError(
            f"Restore {query.run_id} is still going.",
            guidance="Wait until it has ended, and look at the app first.",
        )
    view = await runs.find(connection, query.run_id)
    if view and isinstance(view.result, AppRestoreResult) and view.result.dry_run:
        raise ConflictError(f"Restore {query.run_id} was a dry run: it set nothing aside.")
    device = restore.device_id and await devices.find(connection, restore.device_id)
    if not device:
        raise NotFoundError("The device on which that was is not known any more.")
    return device
