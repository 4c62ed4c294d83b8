"""Backup, snapshots, restore."""

from uuid import UUID

from holdfast.events import views
from holdfast.events.queries.base import Query
from holdfast.events.restoring import RestoreMode
from holdfast.events.run import RunStatus


class StartBackup(Query[views.BackupStarted], frozen=True, kw_only=True):
    """Queue a backup now."""

    SUBJECT = "catalog.backup.start"
    REPLY = views.BackupStarted

    configuration_id: UUID


class ListSnapshots(Query[views.SnapshotPage], frozen=True, kw_only=True):
    """Snapshots, newest first."""

    SUBJECT = "catalog.snapshot.list"
    REPLY = views.SnapshotPage

    app_id: UUID | None = None
    configuration_id: UUID | None = None
    destination_id: UUID | None = None
    status: RunStatus | None = None
    limit: int = 50
    cursor: str | None = None


class GetSnapshot(Query[views.SnapshotView], frozen=True, kw_only=True):
    """One snapshot."""

    SUBJECT = "catalog.snapshot.get"
    REPLY = views.SnapshotView

    snapshot_id: UUID


class RestoreSnapshot(Query[views.RunAccepted], frozen=True, kw_only=True):
    """Queue a restore."""

    SUBJECT = "catalog.snapshot.restore"
    REPLY = views.RunAccepted

    snapshot_id: UUID
    target_device_id: UUID
    target_path: str
    files: tuple[str, ...] = ()
    mode: RestoreMode = RestoreMode.NEVER
    dry_run: bool = False
    verify: bool = False
    sparse: bool = True
