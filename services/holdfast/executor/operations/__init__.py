"""One file a verb: from what is to be done to what came of it."""

from collections.abc import Awaitable, Callable
from typing import Any

from holdfast.events.base import Work
from holdfast.events.work import (
    BackupRequested,
    ForgetAdmitted,
    InitRequested,
    ProbeRequested,
    ProtectionTestRequested,
    PruneAdmitted,
    RestoreRequested,
)
from holdfast.executor.attempt import Attempt
from holdfast.executor.domain import Outcome
from holdfast.executor.operations import (
    backup,
    forget,
    init,
    probe,
    protection_test,
    prune,
    restore,
)

Operate = Callable[[Attempt, Any], Awaitable[Outcome]]

OPERATES: dict[type[Work], Operate] = {
    BackupRequested: backup.run,
    RestoreRequested: restore.run,
    ForgetAdmitted: forget.run,
    PruneAdmitted: prune.run,
    InitRequested: init.run,
    ProbeRequested: probe.run,
    ProtectionTestRequested: protection_test.run,
}
