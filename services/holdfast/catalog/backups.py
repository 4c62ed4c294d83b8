"""Starting a backup: from a configuration to a queued run with a row for each destination."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from holdfast.catalog.deps import Deps
from holdfast.catalog.domain import system
from holdfast.catalog.domain.device import far_address
from holdfast.catalog.domain.discovered import (
    consistency_of,
    environment_of,
    excludes_of,
    paths_to_read,
)
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
from holdfast.events.system import SystemType
from holdfast.events.views import AppView, ConfigurationView, DeviceView, PolicyView
from holdfast.events.work import (
    BackupRequested,
    BackupTarget,
    DestinationAddress,
)
from holdfast.kernel.errors import ConflictError, NotFoundError
from holdfast.kernel.ids import derived_id


class NewBackup(runs.NewRun, frozen=True, kw_only=True):
    """A backup's run to queue."""

    work: BackupRequested


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
    app: AppView | None
    """None: it is Holdfast itself."""
    device: DeviceView

    @property
    def system(self) -> SystemType | None:
        """What of Holdfast itself it is; None: it is an app."""
        return SystemType(self.configuration.system_type or "") if self.app is None else None

    @property
    def name(self) -> str:
        """As runs and notifications call it."""
        if self.app is not None:
            return self.app.name
        return system.NAMES[SystemType(self.configuration.system_type or "")]


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """A backup to queue."""

    resolved: Resolved
    run_id: UUID
    trigger: Trigger
    scheduled_for: datetime | None = None
    not_after: datetime | None = None
    """After that it is not started any more."""


Addresses = dict[UUID, DestinationAddress]


async def resolve(connection: Connection, configuration_id: UUID) -> Resolved:
    """Raises NotFoundError or NothingToBackUpError."""
    found = await resolve_all(connection, [configuration_id])
    if configuration_id not in found:
        raise NotFoundError(f"There is no configuration {configuration_id}.")
    resolved = found[configuration_id]
    if resolved is None:
        raise NothingToBackUpError
    return resolved


async def resolve_all(
    connection: Connection, configuration_ids: Sequence[UUID]
) -> dict[UUID, Resolved | None]:
    """Of those configurations that are there; None where there is nothing to back up."""
    ties = await configurations.lock_all(connection, configuration_ids)
    terms = await policies.found(connection, [each.policy_id for each in ties])
    owners = await apps.found(connection, [each.app_id for each in ties if each.app_id])
    homes = await devices.found(connection, [each.device_id for each in owners.values()])
    resolved: dict[UUID, Resolved | None] = {}
    for tie in ties:
        policy = terms.get(tie.policy_id)
        if policy is not None and tie.is_system_backup:
            here = await devices.own(connection)
            resolved[tie.id] = (
                Resolved(configuration=tie, policy=policy, app=None, device=here) if here else None
            )
            continue
        app = owners.get(tie.app_id) if tie.app_id else None
        if policy is None or app is None or not paths_to_read(app, tie):
            resolved[tie.id] = None
            continue
        home = homes[app.device_id]
        resolved[tie.id] = Resolved(configuration=tie, policy=policy, app=app, device=home)
    return resolved


async def usable_addresses(connection: Connection, policies: Iterable[PolicyView]) -> Addresses:
    """Where the enabled ones of the policies' destinations are."""
    ids = {each.id for policy in policies for each in policy.destinations}
    return await destinations.addresses(connection, ids, only_enabled=True)


async def start_backups(
    connection: Connection, starts: Sequence[Start], addresses: Addresses, deps: Deps
) -> None:
    """Queue them: the rows of their snapshots, then the runs, then whatever may start.

    *addresses* are those that may be used.  Retries that wait are superseded.  Raises
    NoDestinationError, when there is one without any.
    """
    now = deps.now()
    new = [_new_run(each, addresses, now, deps.instance_id) for each in starts]
    ids = [each.resolved.configuration.id for each in starts]
    for waiting in await runs.pending_retries(connection, ids):
        await end_here(connection, waiting, RunStatus.CANCELLED, SUPERSEDED, now)
    await queue_backups(connection, new, now)


def _new_run(start: Start, addresses: Addresses, now: datetime, instance_id: UUID) -> NewBackup:
    configuration, policy = start.resolved.configuration, start.resolved.policy
    targets = tuple(
        BackupTarget(
            snapshot_id=derived_id("snapshot", start.run_id, each.id), address=addresses[each.id]
        )
        for each in policy.destinations
        if each.id in addresses
    )
    if not targets:
        raise NoDestinationError(f"The policy {policy.name!r} has no enabled destination.")
    work = _work(start, targets, now, instance_id)
    return NewBackup(
        operation=Operation.BACKUP,
        work=work,
        trigger=start.trigger,
        configuration_id=configuration.id,
        app_id=work.app_id,
        device_id=start.resolved.device.id,
        scheduled_for=start.scheduled_for,
        not_after=start.not_after,
    )


def _work(
    start: Start, targets: tuple[BackupTarget, ...], now: datetime, instance_id: UUID
) -> BackupRequested:
    configuration, policy = start.resolved.configuration, start.resolved.policy
    app, device = start.resolved.app, start.resolved.device
    app_id = app.id if app else None
    kind = start.resolved.system
    work = BackupRequested(
        event_id=derived_id(BackupRequested.TYPE, start.run_id),
        occurred_at=now,
        run_id=start.run_id,
        site=device.site,
        configuration_id=configuration.id,
        app_id=app_id,
        app_name=start.resolved.name,
        hostname=device.name,
        paths=(system.FILES[kind],) if kind else (),
        system=kind,
        tags=backup_tags(app_id, configuration.id, start.run_id, instance_id),
        targets=targets,
        fan_out=policy.fan_out,
    )
    if app is None:
        return work
    return msgspec.structs.replace(
        work,
        paths=paths_to_read(app, configuration),
        exclude_paths=excludes_of(app, configuration),
        exclude_caches=app.found is not None,
        environment_of=environment_of(app, configuration),
        found=app.found,
        device=far_address(device),
        consistency=consistency_of(app, configuration),
    )


async def queue_backups(
    connection: Connection, backups: Sequence[NewBackup], now: datetime
) -> None:
    """The runs and their snapshot rows, then admission, which looks at both."""
    added = await runs.add(connection, backups)
    works = [each.work for each in backups if each.work.run_id in added]
    await snapshots.add_rows(connection, works, now)
    # When very many are due at once, not each lot of them may look at all that are queued
    # before: whatever thins out a crowd admits, and the keeper does every second.
    scheduled = all(each.trigger is Trigger.SCHEDULE for each in backups)
    if not scheduled or not await runs.is_crowded(connection):
        await runs.admit_queued(connection, now)
