"""What may be asked of the catalog: one struct a question, its answer's type beside it.

A question goes out as NATS request and reply.  An error comes back as the
``HoldfastError`` it was, so the asker raises what the catalog raised.
"""

from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.events import views
from holdfast.events.base import AwareTime
from holdfast.events.run import Operation, RunStatus
from holdfast.events.schedule import CatchUp
from holdfast.events.work import DestinationType

Reply = TypeVar("Reply")


class Query(msgspec.Struct, Generic[Reply], frozen=True, kw_only=True):
    """A question; ``SUBJECT`` is where it goes, ``REPLY`` what comes back."""

    SUBJECT: ClassVar[str]
    REPLY: ClassVar[Any]


# ---- who am I, who are you


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who the catalog is."""

    instance_id: UUID
    public_key: bytes
    """Secrets for the catalog are sealed to it before they go on the bus."""


class GetIdentity(Query[Identity], frozen=True, kw_only=True):
    """Ask for the catalog's name and public key."""

    SUBJECT = "catalog.identity"
    REPLY = Identity


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Whose token it is."""

    name: str


class VerifyToken(Query[Principal], frozen=True, kw_only=True):
    """Ask whose token hashes to this; ``UnauthorizedError`` if nobody's."""

    SUBJECT = "catalog.token.verify"
    REPLY = Principal

    token_hash: bytes


class GetStatus(Query[views.StatusView], frozen=True, kw_only=True):
    """The whole house at a glance."""

    SUBJECT = "catalog.status"
    REPLY = views.StatusView


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """It is done; there is nothing to show."""


# ---- devices and apps


class CreateDevice(Query[views.DeviceView], frozen=True, kw_only=True):
    """Declare a machine."""

    SUBJECT = "catalog.device.create"
    REPLY = views.DeviceView

    name: str
    type: str = "local"
    site: str = ""
    """Empty: the catalog's own site."""


class ListDevices(Query[tuple[views.DeviceView, ...]], frozen=True, kw_only=True):
    """All devices, by name."""

    SUBJECT = "catalog.device.list"
    REPLY = tuple[views.DeviceView, ...]


class CreateApp(Query[views.AppView], frozen=True, kw_only=True):
    """Declare an app; a configuration with the default policy is made with it."""

    SUBJECT = "catalog.app.create"
    REPLY = views.AppView

    name: str
    device_id: UUID
    paths: tuple[str, ...]


class ListApps(Query[tuple[views.AppView, ...]], frozen=True, kw_only=True):
    """All apps, by name."""

    SUBJECT = "catalog.app.list"
    REPLY = tuple[views.AppView, ...]


# ---- destinations


class AddDestination(Query[views.RunAccepted], frozen=True, kw_only=True):
    """Queue the run that tests a destination and initialises its repository.

    Until that run succeeds the destination is not listed; when it fails nothing stays.
    """

    SUBJECT = "catalog.destination.add"
    REPLY = views.RunAccepted

    name: str
    type: DestinationType
    device_id: UUID | None = None
    path: str = ""
    s3_endpoint: str = ""
    s3_bucket: str = ""
    s3_region: str = ""
    s3_prefix: str = ""
    max_runs: int = 4
    """How many runs it serves at once."""
    sealed_secrets: bytes = b""
    """``DestinationSecrets`` sealed to the catalog; an empty password in it means: make one."""


class ListDestinations(Query[tuple[views.DestinationView, ...]], frozen=True, kw_only=True):
    """All destinations, by name."""

    SUBJECT = "catalog.destination.list"
    REPLY = tuple[views.DestinationView, ...]


class GetDestination(Query[views.DestinationView], frozen=True, kw_only=True):
    """One destination."""

    SUBJECT = "catalog.destination.get"
    REPLY = views.DestinationView

    destination_id: UUID


class RemoveDestination(Query[Done], frozen=True, kw_only=True):
    """Take a destination out of use.  Its data is left where it is."""

    SUBJECT = "catalog.destination.remove"
    REPLY = Done

    destination_id: UUID
    detach: bool = False
    """Take it out of the policies that use it; otherwise that is a conflict."""


class TestDestination(Query[views.RunAccepted], frozen=True, kw_only=True):
    """Queue a probe of a destination."""

    __test__: ClassVar[bool] = False  # pytest would take the name for a test class
    SUBJECT = "catalog.destination.test"
    REPLY = views.RunAccepted

    destination_id: UUID


# ---- policies


class CreatePolicy(Query[views.PolicyView], frozen=True, kw_only=True):
    """Make a policy."""

    SUBJECT = "catalog.policy.create"
    REPLY = views.PolicyView

    name: str
    schedule: str
    description: str = ""
    timezone: str = ""
    """IANA name; empty: the instance's own."""
    enabled: bool = True
    is_default: bool = False
    jitter_seconds: int = 0
    window_start: str | None = None
    window_end: str | None = None
    catch_up: CatchUp = CatchUp.RUN_ONCE
    keep: views.KeepRules = views.KeepRules()
    destination_ids: tuple[UUID, ...] = ()


class ListPolicies(Query[tuple[views.PolicyView, ...]], frozen=True, kw_only=True):
    """All policies, by name."""

    SUBJECT = "catalog.policy.list"
    REPLY = tuple[views.PolicyView, ...]


class GetPolicy(Query[views.PolicyView], frozen=True, kw_only=True):
    """One policy."""

    SUBJECT = "catalog.policy.get"
    REPLY = views.PolicyView

    policy_id: UUID


class UpdatePolicy(Query[views.PolicyView], frozen=True, kw_only=True):
    """Change what is set, leave what is not."""

    SUBJECT = "catalog.policy.update"
    REPLY = views.PolicyView

    policy_id: UUID
    name: str | UnsetType = UNSET
    schedule: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    timezone: str | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    is_default: bool | UnsetType = UNSET
    jitter_seconds: int | UnsetType = UNSET
    window_start: str | UnsetType | None = UNSET
    window_end: str | UnsetType | None = UNSET
    catch_up: CatchUp | UnsetType = UNSET
    keep_last: int | UnsetType = UNSET
    keep_hourly: int | UnsetType = UNSET
    keep_daily: int | UnsetType = UNSET
    keep_weekly: int | UnsetType = UNSET
    keep_monthly: int | UnsetType = UNSET
    keep_yearly: int | UnsetType = UNSET
    destination_ids: tuple[UUID, ...] | UnsetType = UNSET


class DeletePolicy(Query[Done], frozen=True, kw_only=True):
    """Delete a policy that no configuration uses and that is not the default."""

    SUBJECT = "catalog.policy.delete"
    REPLY = Done

    policy_id: UUID


# ---- configurations


class CreateConfiguration(Query[views.ConfigurationView], frozen=True, kw_only=True):
    """Tie an app to a policy; the same tie twice is the one that exists, changed."""

    SUBJECT = "catalog.configuration.create"
    REPLY = views.ConfigurationView

    app_id: UUID
    policy_id: UUID | None = None
    """None: the default policy."""
    backup_volumes: bool = True
    backup_compose: bool = True
    backup_env: bool = True
    include_paths: tuple[str, ...] = ()
    exclude_paths: tuple[str, ...] = ()
    enabled: bool = True


class ListConfigurations(Query[tuple[views.ConfigurationView, ...]], frozen=True, kw_only=True):
    """All configurations, or those of an app, oldest first."""

    SUBJECT = "catalog.configuration.list"
    REPLY = tuple[views.ConfigurationView, ...]

    app_id: UUID | None = None


class GetConfiguration(Query[views.ConfigurationView], frozen=True, kw_only=True):
    """One configuration."""

    SUBJECT = "catalog.configuration.get"
    REPLY = views.ConfigurationView

    configuration_id: UUID


class UpdateConfiguration(Query[views.ConfigurationView], frozen=True, kw_only=True):
    """Change what is set, leave what is not."""

    SUBJECT = "catalog.configuration.update"
    REPLY = views.ConfigurationView

    configuration_id: UUID
    policy_id: UUID | UnsetType = UNSET
    backup_volumes: bool | UnsetType = UNSET
    backup_compose: bool | UnsetType = UNSET
    backup_env: bool | UnsetType = UNSET
    include_paths: tuple[str, ...] | UnsetType = UNSET
    exclude_paths: tuple[str, ...] | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class DeleteConfiguration(Query[Done], frozen=True, kw_only=True):
    """Delete a configuration; its snapshots stay and can be restored."""

    SUBJECT = "catalog.configuration.delete"
    REPLY = Done

    configuration_id: UUID


# ---- backup, snapshots, restore


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
    overwrite: bool = False


# ---- runs


class ListRuns(Query[views.RunPage], frozen=True, kw_only=True):
    """Runs, newest first."""

    SUBJECT = "catalog.run.list"
    REPLY = views.RunPage

    operation: Operation | None = None
    status: RunStatus | None = None
    configuration_id: UUID | None = None
    app_id: UUID | None = None
    limit: int = 50
    cursor: str | None = None


class GetRun(Query[views.RunView], frozen=True, kw_only=True):
    """One run."""

    SUBJECT = "catalog.run.get"
    REPLY = views.RunView

    run_id: UUID


class WaitForRun(Query[views.RunView], frozen=True, kw_only=True):
    """The run once it has ended, or as it stands after so many seconds."""

    SUBJECT = "catalog.run.wait"
    REPLY = views.RunView

    run_id: UUID
    timeout_seconds: float = 10


class CancelRun(Query[views.RunView], frozen=True, kw_only=True):
    """Stop a run: at once if nobody has it, otherwise its executor is told."""

    SUBJECT = "catalog.run.cancel"
    REPLY = views.RunView

    run_id: UUID


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """The catalog's answer to an executor that wants a run."""

    granted: bool
    claim: int = 0
    """The fencing token; an outcome told with another number is not recorded."""
    reason: str = ""
    wait_seconds: float = 0
    """Not granted, but ask again after this long: another executor may still be alive.
    0 with no grant: the run has ended, drop the message."""
    expires_in_seconds: float = 0
    """The claim runs out unless a heartbeat comes before."""
    waiting_since: AwareTime | None = None
    """Since when the run waits for somebody else's lock, if it does."""
    done_snapshot_ids: tuple[UUID, ...] = ()
    """Snapshot rows that an earlier claim finished."""
    sealed_secrets: bytes = b""
    """``dict[destination id, DestinationSecrets]`` sealed to the executor's key;
    the purpose is ``claim_purpose(run_id, claim)``."""


def claim_purpose(run_id: UUID, claim: int) -> str:
    """What binds a sealed answer to one claim of one run."""
    return f"claim:{run_id}:{claim}"


class ClaimRun(Query[Claim], frozen=True, kw_only=True):
    """Ask for a run that was on the work queue."""

    SUBJECT = "catalog.run.claim"
    REPLY = Claim

    run_id: UUID
    executor_id: str
    public_key: bytes


class HeartbeatReply(msgspec.Struct, frozen=True, kw_only=True):
    """Whether to go on."""

    held: bool
    """False: another executor has the run, or it has ended.  Stop, and say nothing."""
    cancel: bool = False


class Heartbeat(Query[HeartbeatReply], frozen=True, kw_only=True):
    """The executor is alive and still at it."""

    SUBJECT = "catalog.run.heartbeat"
    REPLY = HeartbeatReply

    run_id: UUID
    claim: int


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the claim was the executor's to give back."""

    held: bool


class ReleaseClaim(Query[Released], frozen=True, kw_only=True):
    """The executor gives a run back that it has not ended, and nothing of it is left running.

    Without a reason to wait, whoever asks next gets it at once; with one it is queued again.
    """

    SUBJECT = "catalog.run.release"
    REPLY = Released

    run_id: UUID
    claim: int
    waiting_for: str = ""
    """What it waits for, for a person; empty: nothing."""
    wait_seconds: float = 0


# ---- what the scheduler and retention need to know


class ScheduleEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that comes due."""

    kind: str
    """``backup`` (the id is a configuration's) or ``prune`` (a destination's)."""
    id: UUID
    schedule: str
    timezone: str
    after: AwareTime
    """The last due time that is on record, or when it was made or last changed:
    only later times count."""
    jitter_seconds: int = 0
    window_start: str | None = None
    window_end: str | None = None


class ScheduleEntries(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the timetable."""

    entries: tuple[ScheduleEntry, ...]
    next_after_id: UUID | None = None
    """Where the next page starts; None at the end."""


class ListSchedules(Query[ScheduleEntries], frozen=True, kw_only=True):
    """All that has a schedule, by id.  A configuration that is switched off is listed, too:
    its due times are on record as skipped."""

    SUBJECT = "catalog.schedule.list"
    REPLY = ScheduleEntries

    after_id: UUID | None = None
    limit: int = 5000
    """A page must fit into one message."""


class GetConfigurationSchedule(Query[views.ScheduleView], frozen=True, kw_only=True):
    """A configuration's due times: what became of those that passed, and the next ten."""

    SUBJECT = "catalog.configuration.schedule"
    REPLY = views.ScheduleView

    configuration_id: UUID
    limit: int = 50
    cursor: str | None = None


class PreviewSchedule(Query[views.SchedulePreview], frozen=True, kw_only=True):
    """The next ten due times of a schedule that need not be anybody's yet."""

    SUBJECT = "catalog.schedule.preview"
    REPLY = views.SchedulePreview

    schedule: str
    timezone: str = ""
    """IANA name; empty: the instance's own."""


class SnapshotFact(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot that is in a repository."""

    restic_snapshot_id: str
    time: AwareTime


class RetentionView(msgspec.Struct, frozen=True, kw_only=True):
    """What retention decides from."""

    recorded: bool
    """Whether the catalog has recorded the run in question; if not, ask again."""
    keep: views.KeepRules
    snapshots: tuple[SnapshotFact, ...]
    timezone: str
    """Periods (days, weeks …) are cut in this zone."""


class GetRetentionView(Query[RetentionView], frozen=True, kw_only=True):
    """One configuration's snapshots at one destination, and their keep rules."""

    SUBJECT = "catalog.retention.view"
    REPLY = RetentionView

    run_id: UUID
    configuration_id: UUID
    destination_id: UUID


class PruneView(msgspec.Struct, frozen=True, kw_only=True):
    """Whether freeing space is worth a run."""

    needed: bool
    """Something was forgotten, or a backup broke off, since the last prune."""


class GetPruneView(Query[PruneView], frozen=True, kw_only=True):
    """Ask whether a destination has anything to free."""

    SUBJECT = "catalog.prune.view"
    REPLY = PruneView

    destination_id: UUID
