"""Runs: how far they are, how they ended, and the wish that one should stop."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

import msgspec

from holdfast.events.base import AwareTime, Event, Stream
from holdfast.events.consistency import Step
from holdfast.events.drills import DrillResult
from holdfast.events.restoring import AppRestoreResult, DiscardResult, FailedSource, RestorePlan


class Operation(StrEnum):
    """The kind of a run."""

    BACKUP = "backup"
    RESTORE = "restore"
    FORGET = "forget"
    PRUNE = "prune"
    INIT = "init"
    PROBE = "probe"
    IMPORT = "import"
    LIST_FILES = "list_files"
    DEVICE_PROBE = "device_probe"
    DISCOVER = "discover"
    CHECK = "check"
    ROTATE_PASSWORD = "rotate_password"  # noqa: S105 - an operation, not a password
    REBUILD = "rebuild"
    PROTECT = "protect"
    UNDELETE = "undelete"
    HEAL = "heal"
    PROTECTION_TEST = "protection_test"
    APP_RESTORE = "app_restore"
    DISCARD_PREVIOUS = "discard_previous"
    DRILL = "drill"


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
    REBUILD = "rebuild"
    """The history of an instance is brought back."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why something failed, for a person and for a program."""

    code: str
    message: str
    guidance: str = ""
    detail: str = ""
    """The words of the program underneath (restic, S3)."""
    retryable: bool = False


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about a destination by reaching it."""

    repository_id: str
    config_digest: str = ""
    """By which the repository is known again without opening it."""
    host_key: str = ""
    """Of an SFTP server: it is pinned from now on."""
    host_key_fingerprint: str = ""
    """The same as SSH programs show it: ``SHA256:…``."""
    free_bytes: int | None = None
    """Space that is left; None where nobody says."""


class InitResult(Reached, frozen=True, kw_only=True, tag="init"):
    """A repository is ready."""

    adopted: bool = False
    """It was there before, and its password opened it."""


class ProbeResult(Reached, frozen=True, kw_only=True, tag="probe"):
    """A destination was reached and its repository opened."""


class DeviceProbeResult(msgspec.Struct, frozen=True, kw_only=True, tag="device_probe"):
    """A device was reached, and this is what it is."""

    host_key: str
    """It is pinned from now on."""
    host_key_fingerprint: str
    user: str
    """Who we are there."""
    is_root: bool
    hostname: str
    system: str
    """As ``uname -s`` says."""
    machine: str
    """The processor, as ``uname -m`` says."""
    restic: str
    """Where the device's own restic is; empty: it has none, and Holdfast brings its own."""
    docker: bool
    """Whether its Docker engine answers to us."""
    podman: bool
    free_bytes: int
    """Where Holdfast would put its restic."""
    clock_ahead_seconds: int
    """By how much its clock is ahead of ours, to a second or two."""
    warnings: tuple[str, ...] = ()
    """What somebody should look after there, a sentence each."""


class DiscoverResult(msgspec.Struct, frozen=True, kw_only=True, tag="discover"):
    """A device's container engines were asked what they run."""

    engines: tuple[str, ...]
    """Who answered; none: there is no engine, or it is off."""
    apps: int
    """How many were found."""


class ImportResult(msgspec.Struct, frozen=True, kw_only=True, tag="import"):
    """The snapshots of a repository were told to the catalog."""

    snapshots: int
    """How many are in the repository."""
    repository_id: str = ""


class ListFilesResult(msgspec.Struct, frozen=True, kw_only=True, tag="list_files"):
    """The files of a snapshot were told to the catalog."""

    files: int
    """That are no folders."""
    folders: int


class RebuildResult(msgspec.Struct, frozen=True, kw_only=True, tag="rebuild"):
    """A repository was asked for the settings that it carries; another run brings snapshots."""

    repository_id: str
    manifest_at: AwareTime | None = None
    """When the settings were written; None: it carries none."""
    left_out: tuple[str, ...] = ()
    """What of them was left out, and why; added by the catalog."""


class RestoreResult(msgspec.Struct, frozen=True, kw_only=True, tag="restore"):
    """Files were brought back."""

    restored_path: str
    files_restored: int
    bytes_restored: int
    destination_id: UUID | None = None
    """Where the last of it came from."""
    failed_sources: tuple[FailedSource, ...] = ()
    """What was tried before."""
    verified: bool = False
    """What was written was read again, and what was there was read: all is as in the snapshot.
    In mode ``if_newer`` what was left because it is newer, or as old, was not read."""
    plan: RestorePlan | None = None
    """It was a dry run."""


class ForgetResult(msgspec.Struct, frozen=True, kw_only=True, tag="forget"):
    """Snapshots were removed from a repository."""

    restic_snapshot_ids: tuple[str, ...]


class RepositoryStats(msgspec.Struct, frozen=True, kw_only=True):
    """What a repository stores, as restic counts it.  Sizes in bytes."""

    raw_size: int
    """What lies at the destination, after deduplication and compression."""
    uncompressed_size: int = 0
    """The same before compression."""
    restore_size: int = 0
    """What all its snapshots would be if each were restored."""
    snapshots_count: int = 0
    compression_ratio: float = 0.0
    compression_space_saving: float = 0.0
    """In percent."""


class CheckResult(msgspec.Struct, frozen=True, kw_only=True, tag="check"):
    """A repository was looked at, and so much of its data was read.

    The run is ``failed`` when it is damaged; all of it was looked at in any case.
    """

    parts: int = 0
    """Into how many its data is divided, by the first byte of a pack's id; 0: none was read."""
    read: tuple[int, ...] = ()
    """Which of the parts were read, from 1."""
    bytes_read: int = 0
    """About: packs are counted, and taken to be of one size."""
    sound: bool = True
    damaged_packs: tuple[str, ...] = ()
    missing_packs: tuple[str, ...] = ()
    restic_snapshot_ids: tuple[str, ...] = ()
    """The snapshots that need what is damaged, as far as restic can tell."""
    stats: RepositoryStats | None = None


class PruneResult(msgspec.Struct, frozen=True, kw_only=True, tag="prune"):
    """Space that no snapshot needs was freed."""

    repository_size: int
    """Bytes that remain at the destination."""
    stats: RepositoryStats | None = None


class RotatePasswordResult(msgspec.Struct, frozen=True, kw_only=True, tag="rotate_password"):
    """The repository has a new password, and no key of the old one."""

    removed_keys: int


class ProtectResult(msgspec.Struct, frozen=True, kw_only=True, tag="protect"):
    """Object Lock holds what a repository consists of."""

    retained: int
    """Objects that cannot be deleted now."""
    renewed: int
    """Of these, so many were given a new time."""
    swept: int
    """Versions deleted long ago whose retention has ended: gone for good."""
    swept_bytes: int


class UndeleteResult(msgspec.Struct, frozen=True, kw_only=True, tag="undelete"):
    """A repository stands as it stood."""

    restored: int
    """Objects that were deleted or overwritten."""
    hidden: int
    """Objects that were no part of a repository and were put out of its way."""
    restic_snapshot_ids: tuple[str, ...] = ()
    """Snapshots among what was brought back."""


class BackupResult(msgspec.Struct, frozen=True, kw_only=True, tag="backup"):
    """What was done around a backup; what came of it itself is told of each snapshot."""

    steps: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()
    """What somebody should look after where the files are, a sentence each."""


class HealResult(msgspec.Struct, frozen=True, kw_only=True, tag="heal"):
    """What a repair of a repository came to."""

    objects_restored: int = 0
    """Damaged or missing objects that were fetched from another destination, as they were."""
    snapshots_restored: int = 0
    """Snapshots whose missing parts were copied from another destination."""
    replaced: dict[str, str] = {}
    """restic's id of a snapshot that was gone, or past mending, to that of the snapshot of the
    same run that was copied from another destination in its place."""
    lost_objects: tuple[str, ...] = ()
    """Damaged or missing, and not to be had as they were; the first hundred.  What they held may
    be back all the same: the snapshots tell."""
    lost_snapshots: tuple[str, ...] = ()
    """restic's ids of snapshots that are still not whole; the first hundred."""


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
    InitResult
    | ProbeResult
    | DeviceProbeResult
    | DiscoverResult
    | ImportResult
    | RebuildResult
    | RestoreResult
    | ForgetResult
    | PruneResult
    | CheckResult
    | RotatePasswordResult
    | ProtectResult
    | UndeleteResult
    | BackupResult
    | HealResult
    | ProtectionTestResult
    | ListFilesResult
    | AppRestoreResult
    | DiscardResult
    | DrillResult
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
