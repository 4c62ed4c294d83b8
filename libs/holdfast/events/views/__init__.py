"""What the catalog shows of its rows.  The REST API answers with the same structs.

Field names are the spec's where it names them.  Secrets are in none of them.
"""

from holdfast.events.views.base import Page, View
from holdfast.events.views.destinations import DestinationChange, DestinationRef, DestinationView
from holdfast.events.views.devices import AppView, CoverageEntry, DeviceView
from holdfast.events.views.files import FilePage, FileView
from holdfast.events.views.policies import ConfigurationView, KeepRules, PolicyView
from holdfast.events.views.runs import (
    BackupStarted,
    RunAccepted,
    RunPage,
    RunView,
    SnapshotPage,
    SnapshotView,
)
from holdfast.events.views.schedules import DueTime, LedgerRow, SchedulePreview, ScheduleView
from holdfast.events.views.status import AppStatus, RecoveryKitState, RecoveryKitStatus, StatusView
from holdfast.events.views.verification import (
    Cost,
    PartView,
    PriceView,
    StatsDay,
    StatsView,
    VerificationView,
)

__all__ = [
    "AppStatus",
    "AppView",
    "CoverageEntry",
    "BackupStarted",
    "ConfigurationView",
    "Cost",
    "DestinationChange",
    "DestinationRef",
    "DestinationView",
    "DeviceView",
    "DueTime",
    "FilePage",
    "FileView",
    "KeepRules",
    "LedgerRow",
    "Page",
    "PartView",
    "PolicyView",
    "PriceView",
    "RecoveryKitState",
    "RecoveryKitStatus",
    "RunAccepted",
    "RunPage",
    "RunView",
    "SchedulePreview",
    "ScheduleView",
    "SnapshotPage",
    "SnapshotView",
    "StatsDay",
    "StatsView",
    "StatusView",
    "VerificationView",
    "View",
]
