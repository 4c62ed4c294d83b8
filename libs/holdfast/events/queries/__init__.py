"""What may be asked of the catalog: one struct a question, its answer's type beside it.

A question goes out as NATS request and reply.  An error comes back as the
``HoldfastError`` it was, so the asker raises what the catalog raised.
"""

from holdfast.events.queries.base import Done, Query
from holdfast.events.queries.configurations import (
    CreateConfiguration,
    DeleteConfiguration,
    GetConfiguration,
    ListConfigurations,
    UpdateConfiguration,
)
from holdfast.events.queries.destinations import (
    AddDestination,
    GetDestination,
    ListDestinations,
    RemoveDestination,
    TestDestination,
    TestProtection,
    UpdateDestination,
)
from holdfast.events.queries.devices import CreateApp, CreateDevice, ListApps, ListDevices
from holdfast.events.queries.identity import (
    GetIdentity,
    GetStatus,
    Identity,
    Principal,
    VerifyToken,
)
from holdfast.events.queries.planning import (
    GetConfigurationSchedule,
    GetPruneView,
    GetRetentionView,
    ListSchedules,
    PreviewSchedule,
    PruneView,
    RetentionView,
    ScheduleEntries,
    ScheduleEntry,
    SnapshotFact,
)
from holdfast.events.queries.policies import (
    CreatePolicy,
    DeletePolicy,
    GetPolicy,
    ListPolicies,
    UpdatePolicy,
)
from holdfast.events.queries.runs import (
    CancelRun,
    Claim,
    ClaimRun,
    GetRun,
    Heartbeat,
    HeartbeatReply,
    ListRuns,
    ReleaseClaim,
    Released,
    WaitForRun,
    claim_purpose,
)
from holdfast.events.queries.snapshots import (
    GetSnapshot,
    ListSnapshots,
    RestoreSnapshot,
    StartBackup,
)

__all__ = [
    "AddDestination",
    "CancelRun",
    "Claim",
    "ClaimRun",
    "CreateApp",
    "CreateConfiguration",
    "CreateDevice",
    "CreatePolicy",
    "DeleteConfiguration",
    "DeletePolicy",
    "Done",
    "GetConfiguration",
    "GetConfigurationSchedule",
    "GetDestination",
    "GetIdentity",
    "GetPolicy",
    "GetPruneView",
    "GetRetentionView",
    "GetRun",
    "GetSnapshot",
    "GetStatus",
    "Heartbeat",
    "HeartbeatReply",
    "Identity",
    "ListApps",
    "ListConfigurations",
    "ListDestinations",
    "ListDevices",
    "ListPolicies",
    "ListRuns",
    "ListSchedules",
    "ListSnapshots",
    "PreviewSchedule",
    "Principal",
    "PruneView",
    "Query",
    "ReleaseClaim",
    "Released",
    "RemoveDestination",
    "RestoreSnapshot",
    "RetentionView",
    "ScheduleEntries",
    "ScheduleEntry",
    "SnapshotFact",
    "StartBackup",
    "TestDestination",
    "TestProtection",
    "UpdateConfiguration",
    "UpdateDestination",
    "UpdatePolicy",
    "VerifyToken",
    "WaitForRun",
    "claim_purpose",
]
