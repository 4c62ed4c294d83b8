"""Bringing a whole app back."""

from holdfast.catalog.answers.snapshots import restorable, sources_of
from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.device import far_address, is_known
from holdfast.catalog.store import apps, devices, runs
from holdfast.catalog.store.pool import transaction
from holdfast.events.discovery import DataKind, FoundApp, FoundData
from holdfast.events.queries import RestoreApp
from holdfast.events.run import Operation
from holdfast.events.views import AppView, RunAccepted
from holdfast.events.work import AppRestoreRequested
from holdfast.kernel.errors import HoldfastError, InvalidRequestError, NotFoundError
from holdfast.kernel.ids import derived_id, new_id


async def answer_restore_app(query: RestoreApp, deps: Deps) -> RunAccepted:
    """Queue it.  A snapshot that is another app's is an InvalidRequestError."""
    run_id = new_id()
    async with transaction(deps.pool) as connection:
        app = await apps.find(connection, query.app_id)
        if app is None:
            raise NotFoundError(f"There is no app {query.app_id}.")
        snapshot, _ = await restorable(connection, query.snapshot_id)
        if snapshot.app_id != app.id:
            raise InvalidRequestError(f"snapshot_id: that is no snapshot of {app.name}.")
        device = await devices.find(connection, query.target_device_id or app.device_id)
        if device is None:
            raise InvalidRequestError(
                f"target_device_id: there is no device {query.target_device_id}."
            )
        if not is_known(device):
            raise InvalidRequestError(
                f"target_device_id: {device.name} was never reached.",
                guidance="Test the device first; that pins its host key.",
            )
        first, *others = await sources_of(connection, query.snapshot_id)
        work = AppRestoreRequested(
            event_id=derived_id(AppRestoreRequested.TYPE, run_id),
            occurred_at=deps.now(),
            run_id=run_id,
            site=device.site,
            configuration_id=snapshot.configuration_id,
            app_id=app.id,
            app_name=app.name,
            address=first.address,
            restic_snapshot_id=first.restic_snapshot_id,
            others=tuple(others),
            backup_run_id=snapshot.run_id,
            found=app.found or _declared(app),
            device=far_address(device),
            elsewhere=device.id != app.device_id,
            overwrite=query.overwrite,
            dry_run=query.dry_run,
        )
        new = runs.NewRun(
            operation=Operation.APP_RESTORE,
            work=work,
            configuration_id=snapshot.configuration_id,
            app_id=app.id,
            device_id=device.id,
        )
        await runs.enqueue(connection, new)
        view = await runs.find(connection, run_id)
    deps.wake.set()
    if view is None:
        raise HoldfastError
    return RunAccepted(
        run_id=run_id, status=view.status, destination_id=first.address.destination_id
    )


def _declared(app: AppView) -> FoundApp:
    """An app that a person declared: nothing but directories."""
    return FoundApp(
        key="",
        engine="",
        name=app.name,
        services=(),
        data=tuple(FoundData(kind=DataKind.BIND, path=each, services=()) for each in app.paths),
    )
