"""A snapshot of a backup's run, however it came to its destination."""

from datetime import datetime

import msgspec

from holdfast.events.run import RunStatus
from holdfast.events.snapshot import Way
from holdfast.events.views import SnapshotView
from holdfast.events.work import DestinationAddress
from holdfast.restic.commands.backup import BackupResult
from holdfast.restic.commands.snapshots import Snapshot
from holdfast.restic.messages import BackupSummary


class Made(BackupResult, frozen=True, kw_only=True):
    """A snapshot in the repository, made now or by an attempt before this one."""

    began_at: datetime
    seconds: float
    tree: str = ""
    way: Way = Way.BACKUP


class Original(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot of this run that others may be copied from."""

    address: DestinationAddress
    made: Made


def made_of(result: BackupResult, began: datetime, seconds: float, tree: str) -> Made:
    """What restic made now."""
    return Made(
        summary=result.summary,
        partial=result.partial,
        unreadable=result.unreadable,
        unreadable_count=result.unreadable_count,
        detail=result.detail,
        began_at=began,
        seconds=seconds,
        tree=tree,
    )


def made_before(row: SnapshotView) -> Made:
    """What an earlier attempt at the run told of."""
    return Made(
        summary=BackupSummary(
            snapshot_id=row.restic_snapshot_id or "",
            files_new=row.files_new,
            files_changed=row.files_changed,
            files_unmodified=row.files_unmodified,
            data_added=row.data_added,
            total_bytes_processed=row.total_size,
        ),
        partial=row.status is RunStatus.PARTIAL,
        unreadable=row.unreadable_files,
        unreadable_count=row.unreadable_count,
        began_at=row.started_at,
        seconds=float(row.duration),
        tree=row.tree,
        way=row.way,
    )


def copy_made(original: Made, snapshot: Snapshot, way: Way, seconds: float) -> Made:
    """What could not be read is missing in the copy as well.

    It began when the original did: that is the time that restic records in both, and
    retention at each destination goes by it.
    """
    return msgspec.structs.replace(
        original,
        summary=with_id(original.summary, snapshot.id),
        seconds=seconds,
        tree=snapshot.tree,
        way=way,
    )


def with_id(summary: BackupSummary, snapshot_id: str) -> BackupSummary:
    """Snapshots name themselves outside of their summary."""
    return msgspec.structs.replace(summary, snapshot_id=snapshot_id)
