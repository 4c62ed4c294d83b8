"""Who says each event and who hears it.  The contracts in proto-events/ show this table."""

import msgspec

from holdfast.events import (
    changes,
    discarding,
    discovery,
    drilling,
    due,
    keys,
    repository,
    retention,
    run,
    snapshot,
    work,
)
from holdfast.events.base import Event

SCHEDULER = "scheduler"
CATALOG = "catalog"
EXECUTOR = "executor"
RETENTION = "retention"
NOTIFIER = "notifier"
GATEWAY = "gateway"

SERVICES = (SCHEDULER, CATALOG, EXECUTOR, RETENTION, NOTIFIER, GATEWAY)


class Road(msgspec.Struct, frozen=True, kw_only=True):
    """One event's way through the house."""

    said_by: tuple[str, ...]
    heard_by: tuple[str, ...]
    """Services that act on it.  The gateway passes every fact on to who listens outside."""
    promise: str
    """What a listener can rely on."""


def _road(said_by: str, heard_by: str, promise: str) -> Road:
    return Road(said_by=tuple(said_by.split()), heard_by=tuple(heard_by.split()), promise=promise)


_ONE_EXECUTOR = "One executor of the site gets it; it comes again if that one dies."
_MADE_A_RUN = "The catalog makes at most one run of it, whatever is repeated."
_LOOK_AGAIN = "Says that something changed, not what: ask for the present state."

ROADS: dict[type[Event], Road] = {
    due.BackupDue: _road(
        SCHEDULER,
        CATALOG,
        "The id is made of configurations and times; a time that is told twice is one time.",
    ),
    due.PruneDue: _road(
        SCHEDULER, RETENTION, "The id is made of destination and time: one event for one time."
    ),
    due.CheckDue: _road(
        SCHEDULER, CATALOG, "The id is made of destination and time: one event for one time."
    ),
    due.DrillDue: _road(
        SCHEDULER, CATALOG, "The id is made of configuration and time: one event for one time."
    ),
    work.BackupRequested: _road(CATALOG, EXECUTOR, _ONE_EXECUTOR),
    work.RestoreRequested: _road(CATALOG, EXECUTOR, _ONE_EXECUTOR),
    work.AppRestoreRequested: _road(CATALOG, EXECUTOR, _ONE_EXECUTOR),
    discarding.DiscardRequested: _road(CATALOG, EXECUTOR, _ONE_EXECUTOR),
    drilling.DrillRequested: _road(CATALOG, EXECUTOR, _ONE_EXECUTOR),
    work.ForgetAdmitted: _road(CATALOG, EXECUTOR, _ONE_EXECUTOR),
    work.PruneAdmitted: _road(CATALOG, EXECUTOR, _ONE_EXECUTOR),
    work.CheckRequested: _road(CATALOG, EXECUTOR, _ONE_EXECUTOR),
    work.InitRequested: _road(CATALOG, EXECUTOR, _ONE_EXECUTOR),
    work.ProbeRequested: _road(CATALOG, EXECUTOR, _ONE_EXECUTOR),
    work.ImportRequested: _road(CATALOG, EXECUTOR, _ONE_EXECUTOR),
    work.ListFilesRequested: _road(CATALOG, EXECUTOR, _ONE_EXECUTOR),
    work.DeviceProbeRequested: _road(CATALOG, EXECUTOR, _ONE_EXECUTOR),
    work.DiscoverRequested: _road(CATALOG, EXECUTOR, _ONE_EXECUTOR),
    work.RotatePasswordRequested: _road(CATALOG, EXECUTOR, _ONE_EXECUTOR),
    work.RebuildRequested: _road(CATALOG, EXECUTOR, _ONE_EXECUTOR),
    work.ProtectRequested: _road(CATALOG, EXECUTOR, _ONE_EXECUTOR),
    work.UndeleteRequested: _road(CATALOG, EXECUTOR, _ONE_EXECUTOR),
    work.HealRequested: _road(CATALOG, EXECUTOR, _ONE_EXECUTOR),
    work.ProtectionTestRequested: _road(CATALOG, EXECUTOR, _ONE_EXECUTOR),
    run.RunProgress: _road(
        EXECUTOR, GATEWAY, "At most one a second for a run and destination; may be lost."
    ),
    run.RunCompleted: _road(
        f"{EXECUTOR} {CATALOG}",
        f"{CATALOG} {RETENTION} {NOTIFIER} {GATEWAY}",
        "The last word on a run. One with an outdated claim is not recorded.",
    ),
    run.RunCancelRequested: _road(
        CATALOG, EXECUTOR, "A wish: the run may still end in another way."
    ),
    snapshot.SnapshotCompleted: _road(
        EXECUTOR, f"{CATALOG} {GATEWAY}", "Said before the run's end, once for a destination."
    ),
    snapshot.SnapshotFailed: _road(
        EXECUTOR, f"{CATALOG} {GATEWAY}", "Said before the run's end, once for a destination."
    ),
    snapshot.SnapshotsFound: _road(
        EXECUTOR, f"{CATALOG} {GATEWAY}", "Whatever is repeated, each is recorded once."
    ),
    repository.RepositoryDamaged: _road(
        CATALOG, f"{NOTIFIER} {GATEWAY}", "Once for the same damage, until it is mended."
    ),
    repository.RepositoryMended: _road(
        CATALOG, f"{NOTIFIER} {GATEWAY}", "Once for each run that has seen it whole."
    ),
    snapshot.ReplicasDiffer: _road(
        CATALOG, f"{NOTIFIER} {GATEWAY}", "Said once, when the run that made them has ended."
    ),
    retention.ForgetRequested: _road(RETENTION, CATALOG, _MADE_A_RUN),
    retention.PruneRequested: _road(RETENTION, CATALOG, _MADE_A_RUN),
    changes.PolicyChanged: _road(CATALOG, f"{SCHEDULER} {GATEWAY}", _LOOK_AGAIN),
    changes.ConfigurationChanged: _road(CATALOG, f"{SCHEDULER} {GATEWAY}", _LOOK_AGAIN),
    changes.DestinationChanged: _road(CATALOG, f"{SCHEDULER} {GATEWAY}", _LOOK_AGAIN),
    discovery.DeviceDiscovered: _road(
        EXECUTOR, f"{CATALOG} {GATEWAY}", "An older one than the newest recorded is passed over."
    ),
    discovery.AppDiscovered: _road(CATALOG, GATEWAY, "Once each time that it comes, or is back."),
    discovery.AppVanished: _road(CATALOG, GATEWAY, "Once each time that it goes."),
    discovery.DataUnprotected: _road(
        CATALOG, f"{NOTIFIER} {GATEWAY}", "Once for the same data, until it is protected."
    ),
    discovery.DeviceUnseen: _road(
        CATALOG, f"{NOTIFIER} {GATEWAY}", "Once, until a look at the device has succeeded."
    ),
    discovery.EngineChanged: _road(
        EXECUTOR, CATALOG, "A reason to look, and not what changed; many changes may be one word."
    ),
    keys.RecoveryKitMade: _road(CATALOG, GATEWAY, "Said when it was handed out; holds no secret."),
}
