"""Runs and the snapshots they make."""

from uuid import UUID

from holdfast.events.base import AwareTime
from holdfast.events.run import Failure, Operation, Result, RunStatus, Trigger
from holdfast.events.snapshot import Way
from holdfast.events.views.base import Page, View


class SnapshotView(View, frozen=True, kw_only=True):
    """One attempt at one destination; restorable once it has a restic id."""

    id: UUID
    run_id: UUID
    configuration_id: UUID | None
    """None: it was found in an adopted repository, and is nobody's here."""
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
    tree: str = ""
    """restic's id of the content: equal at every destination of the run, or something is wrong."""
    way: Way = Way.BACKUP
    """How it came there."""
    created_at: AwareTime


class SnapshotPage(Page, frozen=True, kw_only=True):
    """Snapshots, newest first."""

    snapshots: tuple[SnapshotView, ...]


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
    replicas_differ: bool = False
    """Its snapshots are not the same at all of its destinations; their ``tree`` says which."""


class RunPage(Page, frozen=True, kw_only=True):
    """Runs, newest first."""

    runs: tuple[RunView, ...]


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
