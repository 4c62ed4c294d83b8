"""Questions about apps."""

from holdfast.catalog.answers.changed import configuration_changed
from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.configuration import Scope
from holdfast.catalog.domain.device import is_known
from holdfast.catalog.domain.paths import data_paths
from holdfast.catalog.domain.text import checked_name
from holdfast.catalog.store import apps, configurations, devices, outbox, policies
from holdfast.catalog.store.pool import reading, transaction
from holdfast.events.changes import Change
from holdfast.events.consistency import Consistency
from holdfast.events.queries import CreateApp, ListApps
from holdfast.events.views import AppView
from holdfast.kernel.errors import InvalidRequestError
from holdfast.kernel.ids import new_id


async def answer_create_app(query: CreateApp, deps: Deps) -> AppView:
    """Declare an app, protected by the default policy from the same moment on.

    InvalidRequestError for a path or a device that will not do, ConflictError for its name.
    """
    paths = data_paths(query.paths, "paths")
    if not paths:
        raise InvalidRequestError("paths is empty.", guidance="Name at least one directory.")
    app = AppView(
        id=new_id(),
        name=checked_name(query.name),
        device_id=query.device_id,
        paths=paths,
        created_at=deps.now(),
    )

    async with transaction(deps.pool) as connection:
        device = await devices.find(connection, app.device_id)
        if device is not None and not is_known(device):
            raise InvalidRequestError(
                f"device_id: {device.name} was never reached.",
                guidance="Test the device first; that pins its host key.",
            )
        await apps.add(connection, app)
        scope = Scope(
            policy_id=await policies.the_default(connection),
            backup_volumes=True,
            backup_compose=True,
            backup_env=True,
            include_paths=(),
            exclude_paths=(),
            consistency=Consistency(),
            enabled=True,
        )
        tie = await configurations.tie(connection, new_id(), app.id, scope, app.created_at)
        await outbox.add(connection, configuration_changed(tie.id, Change.CREATED, app.created_at))
    deps.wake.set()
    return app


async def answer_list_apps(_query: ListApps, deps: Deps) -> tuple[AppView, ...]:
    """All apps, by name."""
    async with reading(deps.pool) as connection:
        return await apps.listed(connection)
