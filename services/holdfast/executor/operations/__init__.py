"""One file a verb: from what is to be done to what came of it."""

from collections.abc import Awaitable, Callable
from typing import Any

from holdfast.events.base import Work
from holdfast.events.discarding import DiscardRequested
from holdfast.events.drilling import DrillRequested
from holdfast.events.work import (
    AppRestoreRequested,
    BackupRequested,
    CheckRequested,
    DeviceProbeRequested,
    DiscoverRequested,
    ForgetAdmitted,
    HealRequested,
    ImportRequested,
    InitRequested,
    ListFilesRequested,
    ProbeRequested,
    ProtectionTestRequested,
    ProtectRequested,
    PruneAdmitted,
    RebuildRequested,
    RestoreRequested,
    RotatePasswordRequested,
    UndeleteRequested,
)
from holdfast.executor.apps import discarding, restoring
from holdfast.executor.attempt import Attempt
from holdfast.executor.domain import Outcome
from holdfast.executor.operations import (
    backup,
    check,
    device_probe,
    discover,
    drill,
    forget,
    heal,
    import_,
    init,
    list_files,
    probe,
    protect,
    protection_test,
    prune,
    rebuild,
    restore,
    rotate_password,
    undelete,
)

Operate = Callable[[Attempt, Any], Awaitable[Outcome]]


OPERATES: dict[type[Work], Operate] = {
    BackupRequested: backup.run,
    RestoreRequested: restore.run,
    AppRestoreRequested: restoring.run,
    DiscardRequested: discarding.run,
    DrillRequested: drill.run,
    ForgetAdmitted: forget.run,
    PruneAdmitted: prune.run,
    InitRequested: init.run,
    ProbeRequested: probe.run,
    ImportRequested: import_.run,
    ListFilesRequested: list_files.run,
    DeviceProbeRequested: device_probe.run,
    DiscoverRequested: discover.run,
    CheckRequested: check.run,
    RotatePasswordRequested: rotate_password.run,
    RebuildRequested: rebuild.run,
    ProtectRequested: protect.run,
    UndeleteRequested: undelete.run,
    HealRequested: heal.run,
    ProtectionTestRequested: protection_test.run,
}
