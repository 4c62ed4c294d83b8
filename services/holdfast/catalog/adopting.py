"""Snapshots found in a repository become rows: whose they are, their tags say.

A snapshot of ours names its app, its configuration and its run, so that its row is the one that
was there, with the same ids.  One of somebody else's belongs to the app that has exactly its
paths on the device of its host name, or the name that another tool gave it in a tag, if there is
one, and is nobody's otherwise.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from holdfast.catalog.domain.run import backup_tags
from holdfast.catalog.store import apps, configurations, devices, policies, runs, snapshots
from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.snapshots import FoundRow
from holdfast.events.run import Operation, Trigger
from holdfast.events.snapshot import FoundSnapshot, SnapshotsFound
from holdfast.events.views import AppView, DeviceView
from holdfast.events.work import BackupRequested
from holdfast.kernel.ids import derived_id
from holdfast.restic.tags import DUMP, MANIFEST, parse_tags


async def record_found(
    connection: Connection, event: SnapshotsFound, now: datetime, *, rebuilding: bool
) -> None:
    """Record what is not on record yet.

    *rebuilding*: apps and configurations that only tags tell of come back as well, switched off,
    for their names and schedules are not in the tags.
    """
    for found in event.snapshots:
        if MANIFEST in found.tags or DUMP in found.tags:
            continue
        await _record(connection, event, found, now, rebuilding=rebuilding)


async def _record(
    connection: Connection,
    event: SnapshotsFound,
    found: FoundSnapshot,
    now: datetime,
    *,
    rebuilding: bool,
) -> None:
    destination_id, restic_id = event.destination_id, found.restic_snapshot_id
    owned = await snapshots.is_owned(connection, destination_id, restic_id)
    if owned:
        return
    tags = parse_tags(found.tags)
    run_id, configuration_id, app_id = _uuid(tags.run), _uuid(tags.configuration), _uuid(tags.app)
    if configuration_id is not None:
        if rebuilding and app_id is not None:
            await _bring_back(connection, app_id, configuration_id, found, now)
        owner = await snapshots.owner_by_id(connection, configuration_id, app_id)
    else:
        owner = await snapshots.owner_by_paths(connection, destination_id, found)
    if owned is False:
        if owner.configuration_id is None:
            return
        await snapshots.drop_unowned(connection, destination_id, restic_id)
    row = FoundRow(
        id=derived_id("found", destination_id, restic_id), run_id=event.run_id, owner=owner
    )
    if run_id is not None and owner.configuration_id == configuration_id is not None:
        row = FoundRow(
            id=derived_id("snapshot", run_id, destination_id), run_id=run_id, owner=owner
        )
        await _history(connection, row, configuration_id, event, found)
    await snapshots.add_found(connection, row, destination_id, found, now)


async def _bring_back(
    connection: Connection,
    app_id: UUID,
    configuration_id: UUID,
    found: FoundSnapshot,
    now: datetime,
) -> None:
    """What no settings tell of any more: an app by its paths, its configuration switched off."""
    known = await snapshots.owner_by_id(connection, configuration_id, None)
    if known.configuration_id is not None:
        return
    if await apps.find(connection, app_id) is None:
        device = _device_of(found, await devices.listed(connection))
        name = f"{found.hostname}:{found.paths[0] if found.paths else '/'} {str(app_id)[-6:]}"
        app = AppView(id=app_id, name=name, device_id=device.id, paths=found.paths, created_at=now)
        await apps.add(connection, app)
    policy_id = await policies.the_default(connection)
    await configurations.bring_back(connection, configuration_id, app_id, policy_id, now)


def _device_of(found: FoundSnapshot, known: Sequence[DeviceView]) -> DeviceView:
    return next((each for each in known if each.name == found.hostname), known[0])


async def _history(
    connection: Connection,
    row: FoundRow,
    configuration_id: UUID,
    event: SnapshotsFound,
    found: FoundSnapshot,
) -> None:
    """The run that made it, with one destination more if it is on record."""
    tags = parse_tags(found.tags)
    work = BackupRequested(
        event_id=derived_id(BackupRequested.TYPE, row.run_id),
        occurred_at=found.taken_at,
        run_id=row.run_id,
        site="",
        configuration_id=configuration_id,
        app_id=row.owner.app_id,
        hostname=found.hostname,
        paths=found.paths,
        tags=backup_tags(
            row.owner.app_id,
            configuration_id,
            row.run_id,
            _uuid(tags.instance) or UUID(int=0),
        ),
        targets=(),
    )
    new = runs.NewRun(
        operation=Operation.BACKUP,
        work=work,
        trigger=Trigger.REBUILD,
        configuration_id=configuration_id,
        app_id=row.owner.app_id,
    )
    ended = found.taken_at + timedelta(seconds=found.duration_seconds)
    await runs.add_ended(connection, new, event.destination_id, ended)


def _uuid(text: str) -> UUID | None:
    """An id that a tag holds; tags are anybody's, so it may be anything."""
    try:
        return UUID(text)
    except ValueError:
        return None
