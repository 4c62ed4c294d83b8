"""What the catalog shows of its rows.  The REST API answers with the same structs.

Field names are the spec's where it names them.  Secrets are in none of them.
"""

from uuid import UUID

import msgspec

from holdfast.events.base import AwareTime
from holdfast.events.limits import NO_LIMITS, Limits
from holdfast.events.run import Attack, Failure, Operation, Result, RunStatus, Trigger
from holdfast.events.schedule import CatchUp, DueOutcome
from holdfast.events.work import DestinationType


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A read-only picture of a row."""


class DeviceView(View, frozen=True, kw_only=True):
    """A machine whose data is backed up."""

    id: UUID
    name: str
    type: str
    """``local``: the machine the executor runs on."""
    site: str
    created_at: AwareTime


class AppView(View, frozen=True, kw_only=True):
    """An application on a device, declared as the paths of its data."""

    id: UUID
    name: str
    device_id: UUID
    paths: tuple[str, ...]
    created_at: AwareTime


class DestinationView(View, frozen=True, kw_only=True):
    """A place backups go."""

    id: UUID
    name: str
    type: DestinationType
    enabled: bool
    repo_initialized: bool
    repository_id: str
    s3_endpoint: str | None = None
    s3_bucket: str | None = None
    s3_region: str | None = None
    s3_prefix: str | None = None
    local_device_id: UUID | None = None
    local_path: str | None = None
    protects_from: tuple[Attack, ...] = ()
    """Exactly what the last protection test saw refused."""
    protection_tested_at: AwareTime | None = None
    """None: never, or not since ``append_only`` was changed."""
    prune_schedule: str
    max_runs: int = 4
    """How many runs it serves at once."""
    limits: Limits = NO_LIMITS
    append_only: bool = False
    """Backups go through a relay that deletes and changes nothing but restic's locks."""
    total_snapshots: int
    total_size: int
    """Bytes at the destination when it was last measured (after a prune); 0 before."""
    last_backup_at: AwareTime | None = None
    created_at: AwareTime
    updated_at: AwareTime


class DestinationRef(View, frozen=True, kw_only=True):
    """A destination as a policy lists it."""

    id: UUID
    name: str
    type: DestinationType


class KeepRules(msgspec.Struct, frozen=True, kw_only=True):
    """How many snapshots of each period are kept; all zero keeps everything."""

    keep_last: int = 0
    keep_hourly: int = 0
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    keep_yearly: int = 0


class PolicyView(View, frozen=True, kw_only=True):
    """Schedule, keep rules and destinations together."""

    id: UUID
    name: str
    description: str
    is_default: bool
    schedule: str
    timezone: str
    enabled: bool
    jitter_seconds: int
    """Each configuration starts later than due by a time of its own, shorter than this."""
    window_start: str | None
    """HH:MM in the policy's zone: scheduled runs start only from then …"""
    window_end: str | None
    """… until then; an end before the start is on the next day."""
    catch_up: CatchUp
    keep_last: int
    keep_hourly: int
    keep_daily: int
    keep_weekly: int
    keep_monthly: int
    keep_yearly: int
    destinations: tuple[DestinationRef, ...]
    created_at: AwareTime
    updated_at: AwareTime


class ConfigurationView(View, frozen=True, kw_only=True):
    """The tie between an app and a policy."""

    id: UUID
    app_id: UUID | None
    is_system_backup: bool
    system_type: str | None
    policy_id: UUID
    backup_volumes: bool
    backup_compose: bool
    backup_env: bool
    include_paths: tuple[str, ...]
    exclude_paths: tuple[str, ...]
    enabled: bool
    created_at: AwareTime
    updated_at: AwareTime


class SnapshotView(View, frozen=True, kw_only=True):
    """One attempt at one destination; restorable once it has a restic id."""

    id: UUID
    run_id: UUID
    configuration_id: UUID
    app_id: UUID | None
    destination_id: UUID
    restic_snapshot_id: str | None
    hostname: str
    paths: tuple[str, ...]
    status: RunStatus
    files_new: int
    files_changed: int
    files_unmodified: int
    data_added: int
    """Bytes."""
    total_size: int
    """Bytes that were read: the logical size."""
    duration: int
    """Seconds."""
    error_message: str
    unreadable_files: tuple[str, ...] = ()
    unreadable_count: int = 0
    started_at: AwareTime
    completed_at: AwareTime | None
    forgotten_at: AwareTime | None = None
    """When retention removed it from the repository."""
    created_at: AwareTime


class RunView(View, frozen=True, kw_only=True):
    """One execution of one operation."""

    id: UUID
    operation: Operation
    trigger: Trigger
    status: RunStatus
    configuration_id: UUID | None
    app_id: UUID | None
    app_name: str
    destination_ids: tuple[UUID, ...]
    scheduled_for: AwareTime | None
    attempt: int
    """1 for the first; each retry is a run of its own with the next number."""
    retry_of: UUID | None
    not_before: AwareTime | None
    """A retry waits until then."""
    admitted_at: AwareTime | None = None
    """When it was let in; ``queued`` before, and claimed once ``claim`` is above 0."""
    claim: int
    """How often an executor has taken it up."""
    waiting_for: str = ""
    """What keeps it from going on, if anything: who holds the repository's lock."""
    waiting_since: AwareTime | None = None
    queued_at: AwareTime
    started_at: AwareTime | None
    completed_at: AwareTime | None
    cancel_requested_at: AwareTime | None
    failure: Failure | None
    result: Result | None
    snapshot_ids: tuple[UUID, ...] = ()


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Where the next page starts; None at the end."""

    next_cursor: str | None = None


class SnapshotPage(Page, frozen=True, kw_only=True):
    """Snapshots, newest first."""

    snapshots: tuple[SnapshotView, ...]


class RunPage(Page, frozen=True, kw_only=True):
    """Runs, newest first."""

    runs: tuple[RunView, ...]


class DueTime(View, frozen=True, kw_only=True):
    """A time that is still to come."""

    scheduled_for: AwareTime
    starts_at: AwareTime | None
    """With jitter; null outside the window, where nothing starts."""


class LedgerRow(View, frozen=True, kw_only=True):
    """A due time that has passed, and what became of it."""

    scheduled_for: AwareTime
    outcome: DueOutcome
    reason: str
    run_id: UUID | None
    recorded_at: AwareTime


class ScheduleView(Page, frozen=True, kw_only=True):
    """One configuration's due times."""

    configuration_id: UUID
    enabled: bool
    """Both the configuration and its policy; otherwise nothing is to come."""
    schedule: str
    timezone: str
    upcoming: tuple[DueTime, ...]
    past: tuple[LedgerRow, ...]
    """Newest first."""


class SchedulePreview(View, frozen=True, kw_only=True):
    """When a schedule comes due next."""

    schedule: str
    timezone: str
    times: tuple[AwareTime, ...]


class BackupStarted(View, frozen=True, kw_only=True):
    """A backup was asked for and is queued or already going."""

    snapshot_id: UUID
    """The row of the first destination; the run lists them all."""
    run_id: UUID
    status: RunStatus
    started_at: AwareTime


class RunAccepted(View, frozen=True, kw_only=True):
    """A run was made of a request."""

    run_id: UUID
    status: RunStatus
    destination_id: UUID | None = None


class AppStatus(View, frozen=True, kw_only=True):
    """How well one app is protected."""

    app_id: UUID
    name: str
    configuration_id: UUID | None
    last_success_at: AwareTime | None
    last_status: RunStatus | None
    next_due_at: AwareTime | None = None


class StatusView(View, frozen=True, kw_only=True):
    """The whole house at a glance."""

    apps: tuple[AppStatus, ...]
    destinations: tuple[DestinationView, ...]
    runs_active: int
    runs_queued: int
