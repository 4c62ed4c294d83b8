"""Snapshots: what one backup run came to at one destination."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

import msgspec

from holdfast.events.base import AwareTime, Event
from holdfast.events.run import Failure, RunStatus


class Way(StrEnum):
    """How a snapshot came to a destination."""

    BACKUP = "backup"
    """restic read the source."""
    COPY = "copy"
    """restic copied it from another destination."""
    MIRROR = "mirror"
    """Its new objects were carried over from another destination as they are."""


class SnapshotCompleted(Event, frozen=True, kw_only=True):
    """restic wrote a snapshot and its summary is final."""

    TYPE: ClassVar[str] = "snapshot.completed"

    snapshot_id: UUID
    """The catalog's row, not restic's id."""
    run_id: UUID
    claim: int
    configuration_id: UUID
    destination_id: UUID
    app_id: UUID | None = None
    status: RunStatus
    """``success``, or ``partial`` when files could not be read."""
    restic_snapshot_id: str
    hostname: str
    paths: tuple[str, ...]
    started_at: AwareTime
    files_new: int
    files_changed: int
    files_unmodified: int
    data_added: int
    """Bytes of new data before compression: restic's ``data_added``."""
    data_added_packed: int
    """The same after compression."""
    total_bytes_processed: int
    """The logical size of what was read."""
    duration_seconds: float
    unreadable_files: tuple[str, ...] = ()
    """The first hundred."""
    unreadable_count: int = 0
    tree: str = ""
    """restic's id of the content: equal for equal content cut alike.  Empty when the run has a
    single destination, or it could not be learned."""
    way: Way = Way.BACKUP


class SnapshotFailed(Event, frozen=True, kw_only=True):
    """No snapshot could be made at this destination."""

    TYPE: ClassVar[str] = "snapshot.failed"

    snapshot_id: UUID
    run_id: UUID
    claim: int
    configuration_id: UUID
    destination_id: UUID
    app_id: UUID | None = None
    status: RunStatus = RunStatus.FAILED
    """``failed`` or ``cancelled``."""
    started_at: AwareTime
    duration_seconds: float
    failure: Failure


class FoundSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot as restic lists it."""

    restic_snapshot_id: str
    hostname: str
    paths: tuple[str, ...]
    tags: tuple[str, ...] = ()
    tree: str = ""
    """restic's id of its content."""
    taken_at: AwareTime
    files_new: int = 0
    files_changed: int = 0
    files_unmodified: int = 0
    data_added: int = 0
    data_added_packed: int = 0
    total_bytes_processed: int = 0
    duration_seconds: float = 0


class SnapshotsFound(Event, frozen=True, kw_only=True):
    """These are in a repository, whoever made them; one of several such events of a run."""

    TYPE: ClassVar[str] = "snapshots.found"

    run_id: UUID
    claim: int
    destination_id: UUID
    snapshots: tuple[FoundSnapshot, ...]


class Replica(msgspec.Struct, frozen=True, kw_only=True):
    """A run's snapshot at one destination, and what it holds."""

    snapshot_id: UUID
    destination_id: UUID
    destination_name: str
    tree: str
    way: Way


class ReplicasDiffer(Event, frozen=True, kw_only=True):
    """The snapshots of one run are not the same at all of its destinations."""

    TYPE: ClassVar[str] = "replicas.differ"

    run_id: UUID
    configuration_id: UUID
    app_name: str = ""
    is_damage: bool
    """A copy differs from every original.  Otherwise the source was read more than once, and
    files may have changed in between."""
    snapshots: tuple[Replica, ...]
