"""Runs: how far they are, how they ended, and the wish that one should stop."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

import msgspec

from holdfast.events.base import AwareTime, Event, Stream


class Operation(StrEnum):
    """The kind of a run."""

    BACKUP = "backup"
    RESTORE = "restore"
    FORGET = "forget"
    PRUNE = "prune"
    INIT = "init"
    PROBE = "probe"
    PROTECTION_TEST = "protection_test"


class RunStatus(StrEnum):
    """How a run, or a snapshot of it, stands."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    SUCCESS = "success"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_outcome(self) -> bool:
        """Whether it is final."""
        return self not in (RunStatus.QUEUED, RunStatus.IN_PROGRESS)


class Trigger(StrEnum):
    """Who wanted a run."""

    MANUAL = "manual"
    SCHEDULE = "schedule"
    RETENTION = "retention"
    RETRY = "retry"


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why something failed, for a person and for a program."""

    code: str
    message: str
    guidance: str = ""
    detail: str = ""
    """The words of the program underneath (restic, S3)."""
    retryable: bool = False


class InitResult(msgspec.Struct, frozen=True, kw_only=True, tag="init"):
    """A repository is ready."""

    repository_id: str
    adopted: bool = False
    """It was there before, and its password opened it."""


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True, tag="probe"):
    """A destination was reached and its repository opened."""

    repository_id: str


class RestoreResult(msgspec.Struct, frozen=True, kw_only=True, tag="restore"):
    """Files were brought back."""

    restored_path: str
    files_restored: int
    bytes_restored: int


class ForgetResult(msgspec.Struct, frozen=True, kw_only=True, tag="forget"):
    """Snapshots were removed from a repository."""

    restic_snapshot_ids: tuple[str, ...]


class PruneResult(msgspec.Struct, frozen=True, kw_only=True, tag="prune"):
    """Space that no snapshot needs was freed."""

    repository_size: int
    """Bytes that remain at the destination."""


class Attack(StrEnum):
    """What somebody who holds a backup's credentials may try."""

    PRUNE = "prune"
    DELETE_SNAPSHOT = "delete_snapshot"
    OVERWRITE_PACK = "overwrite_pack"
    DELETE_PACK = "delete_pack"


class AttackOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one attack."""

    attack: Attack
    refused: bool
    """What was attacked is there as it was: looked at afterwards, whatever the answer said."""
    answer: str
    """The words of who was asked."""


class ProtectionTestResult(msgspec.Struct, frozen=True, kw_only=True, tag="protection_test"):
    """A canary at the destination was attacked on the way that backups take."""

    append_only: bool
    """Whether that way is an append-only relay."""
    attacks: tuple[AttackOutcome, ...]
    canary_removed: bool
    """If not, the next test tries again."""


Result = (
    InitResult | ProbeResult | RestoreResult | ForgetResult | PruneResult | ProtectionTestResult
)


class RunProgress(Event, frozen=True, kw_only=True):
    """How far a run is; at most one a second and destination."""

    TYPE: ClassVar[str] = "run.progress"
    STREAM: ClassVar[Stream] = Stream.TRANSIENT

    run_id: UUID
    operation: Operation
    destination_id: UUID | None = None
    fraction: float
    """From 0 to 1."""
    files_done: int = 0
    total_files: int = 0
    bytes_done: int = 0
    total_bytes: int = 0
    current_file: str = ""


class RunCompleted(Event, frozen=True, kw_only=True):
    """A run has ended; ``claim`` proves that its teller still held it."""

    TYPE: ClassVar[str] = "run.completed"

    run_id: UUID
    claim: int
    operation: Operation
    status: RunStatus
    started_at: AwareTime
    configuration_id: UUID | None = None
    app_id: UUID | None = None
    app_name: str = ""
    destination_ids: tuple[UUID, ...] = ()
    failure: Failure | None = None
    result: Result | None = None


class RunCancelRequested(Event, frozen=True, kw_only=True):
    """A person wants a run to stop."""

    TYPE: ClassVar[str] = "run.cancel_requested"

    run_id: UUID
