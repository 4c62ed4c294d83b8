"""Starting a backup: from a configuration to a queued run with a row for each destination."""

from datetime import datetime
from uuid import UUID

import msgspec

from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.run import SUPERSEDED, backup_tags
from holdfast.catalog.ending import end_here
from holdfast.catalog.store import (
    apps,
    configurations,
    destinations,
    devices,
    policies,
    runs,
    snapshots,
)
from holdfast.catalog.store.pool import Connection
from holdfast.events.run import Operation, RunStatus, Trigger
from holdfast.events.views import AppView, ConfigurationView, DeviceView, PolicyView
from holdfast.events.work import BackupRequested, BackupTarget
from holdfast.kernel.errors import ConflictError, NotFoundError
from holdfast.kernel.ids import derived_id


class NoDestinationError(ConflictError):
    """The policy has no enabled destination."""

    code = "no_destination"
    guidance = "Add a destination and put it into the policy."


class NothingToBackUpError(ConflictError):
    """The configuration has no app whose paths could be read."""

    code = "nothing_to_back_up"
    guidance = "Declare an app with its paths, and tie it to the policy."


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration with all that a backup of it needs."""

    configuration: ConfigurationView
    policy: PolicyView
    app: AppView
    device: DeviceView


async def resolve(connection: Connection, configuration_id: UUID) -> Resolved:
    """Raises NotFoundError or NothingToBackUpError."""
    configuration = await configurations.lock(connection, configuration_id)
    if configuration is None:
        raise NotFoundError(f"There is no configuration {configuration_id}.")
    policy = await policies.find(connection, configuration.policy_id)
    app = await apps.find(connection, configuration.app_id) if configuration.app_id else None
    device = await devices.find(connection, app.device_id) if app else None
    if policy is None or app is None or device is None:
        raise NothingToBackUpError
    return Resolved(configuration=configuration, policy=policy, app=app, device=device)


async def start_backup(
    connection: Connection,
    resolved: Resolved,
    run_id: UUID,
    deps: Deps,
    *,
    trigger: Trigger,
    scheduled_for: datetime | None = None,
    not_after: datetime | None = None,
) -> None:
    """Queue it: the rows of its snapshots, then the run, then whatever may start.

    After *not_after* it is not started any more.

    Retries that wait are superseded.  Raises NoDestinationError.
    """
    configuration, app, now = resolved.configuration, resolved.app, deps.now()
    ids = [each.id for each in resolved.policy.destinations]
    enabled = {each.id for each in await destinations.listed(connection) if each.enabled}
    addresses = await destinations.addresses(connection, [each for each in ids if each in enabled])
    if not addresses:
        raise NoDestinationError(f"The policy {resolved.policy.name!r} has no enabled destination.")

    for waiting in await runs.pending_retries(connection, configuration.id):
        await end_here(connection, waiting, RunStatus.CANCELLED, SUPERSEDED, now)
    targets = tuple(
        BackupTarget(snapshot_id=derived_id("snapshot", run_id, each), address=addresses[each])
        for each in ids
        if each in addresses
    )
    work = _work_of(resolved, run_id, targets, deps)
    await queue_backup(
        connection,
        runs.NewRun(
            operation=Operation.BACKUP,
            work=work,
            trigger=trigger,
            configuration_id=configuration.id,
            app_id=app.id,
            device_id=resolved.device.id,
            scheduled_for=scheduled_for,
            not_after=not_after,
        ),
        work,
        now,
    )


def _work_of(
    resolved: Resolved, run_id: UUID, targets: tuple[BackupTarget, ...], deps: Deps
) -> BackupRequested:
    configuration, app = resolved.configuration, resolved.app
    return BackupRequested(
        event_id=derived_id(BackupRequested.TYPE, run_id),
        occurred_at=deps.now(),
        run_id=run_id,
        site=resolved.device.site,
        configuration_id=configuration.id,
        app_id=app.id,
        app_name=app.name,
        hostname=resolved.device.name,
        paths=configuration.include_paths or app.paths,
        exclude_paths=configuration.exclude_paths,
        tags=backup_tags(app.id, configuration.id, run_id, deps.instance_id),
        targets=targets,
    )


async def queue_backup(
    connection: Connection, new: runs.NewRun, work: BackupRequested, now: datetime
) -> None:
    """The run and its snapshot rows, then admission, which looks at both."""
    if await runs.add(connection, new):
        await snapshots.add_rows(connection, work, now)
        # A thousand that are due at once must not each look at all that are queued before:
        # whatever thins out a crowd admits, and the keeper does every second.
        if new.trigger is not Trigger.SCHEDULE or not await runs.is_crowded(connection):
            await runs.admit_queued(connection, now)
