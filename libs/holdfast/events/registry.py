"""Every event there is, by type.  AsyncAPI, the schemas and the decoders are made from it."""

from holdfast.events import (
    changes,
    discovery,
    due,
    keys,
    repository,
    retention,
    run,
    snapshot,
    work,
)
from holdfast.events.base import Event

EVENTS: dict[str, type[Event]] = {
    event.TYPE: event
    for event in (
        due.BackupDue,
        due.PruneDue,
        due.CheckDue,
        work.BackupRequested,
        work.RestoreRequested,
        work.ForgetAdmitted,
        work.PruneAdmitted,
        work.CheckRequested,
        work.InitRequested,
        work.ProbeRequested,
        work.ImportRequested,
        work.DeviceProbeRequested,
        work.DiscoverRequested,
        work.RotatePasswordRequested,
        work.RebuildRequested,
        work.ProtectRequested,
        work.UndeleteRequested,
        work.HealRequested,
        work.ProtectionTestRequested,
        run.RunProgress,
        run.RunCompleted,
        run.RunCancelRequested,
        snapshot.SnapshotCompleted,
        snapshot.SnapshotFailed,
        snapshot.SnapshotsFound,
        repository.RepositoryDamaged,
        repository.RepositoryMended,
        snapshot.ReplicasDiffer,
        retention.ForgetRequested,
        retention.PruneRequested,
        changes.PolicyChanged,
        changes.ConfigurationChanged,
        changes.DestinationChanged,
        discovery.DeviceDiscovered,
        discovery.AppDiscovered,
        discovery.AppVanished,
        discovery.DataUnprotected,
        discovery.EngineChanged,
        keys.RecoveryKitMade,
    )
}
