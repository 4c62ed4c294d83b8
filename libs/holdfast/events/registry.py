"""Every event there is, by type.  AsyncAPI, the schemas and the decoders are made from it."""

from holdfast.events import changes, due, retention, run, snapshot, work
from holdfast.events.base import Event

EVENTS: dict[str, type[Event]] = {
    event.TYPE: event
    for event in (
        due.BackupDue,
        due.PruneDue,
        work.BackupRequested,
        work.RestoreRequested,
        work.ForgetAdmitted,
        work.PruneAdmitted,
        work.InitRequested,
        work.ProbeRequested,
        work.ProtectionTestRequested,
        run.RunProgress,
        run.RunCompleted,
        run.RunCancelRequested,
        snapshot.SnapshotCompleted,
        snapshot.SnapshotFailed,
        retention.ForgetRequested,
        retention.PruneRequested,
        changes.PolicyChanged,
        changes.ConfigurationChanged,
        changes.DestinationChanged,
    )
}
