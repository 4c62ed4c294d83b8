"""What an executor is given to do, one struct an operation."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

import msgspec

from holdfast.events.base import Work
from holdfast.events.limits import NO_LIMITS, Limits


class DestinationType(StrEnum):
    """A kind of storage: the spec's words."""

    S3 = "s3"
    LOCAL = "local"
    SFTP = "sftp"


class DestinationAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a repository is, without what opens it."""

    destination_id: UUID
    name: str
    type: DestinationType
    local_path: str = ""
    """The repository's own directory."""
    s3_endpoint: str = ""
    s3_bucket: str = ""
    s3_region: str = ""
    s3_prefix: str = ""
    repository_id: str = ""
    """restic's id of the repository, once it is known: what is opened must have it."""
    cheap_key: bool = False
    """The password is machine-made, so its key needs no costly derivation."""
    limits: Limits = NO_LIMITS
    append_only: bool = False
    """Backups go through a relay that deletes and changes nothing but restic's locks."""


class DestinationSecrets(msgspec.Struct, frozen=True, kw_only=True):
    """What opens a destination.  Only ever encoded inside a sealed envelope."""

    repo_password: str
    s3_access_key: str = ""
    s3_secret_key: str = ""


class BackupTarget(msgspec.Struct, frozen=True, kw_only=True):
    """One destination of a backup and the snapshot row that waits for it."""

    snapshot_id: UUID
    address: DestinationAddress


class BackupRequested(Work, frozen=True, kw_only=True):
    """Back these paths up to these destinations."""

    TYPE: ClassVar[str] = "backup.requested"

    configuration_id: UUID
    app_id: UUID | None = None
    app_name: str = ""
    hostname: str
    """The name restic records, stable for the device."""
    paths: tuple[str, ...]
    exclude_paths: tuple[str, ...] = ()
    tags: tuple[str, ...]
    targets: tuple[BackupTarget, ...]


class RestoreRequested(Work, frozen=True, kw_only=True):
    """Bring a snapshot, or some files of it, back below a path."""

    TYPE: ClassVar[str] = "restore.requested"

    configuration_id: UUID | None = None
    app_id: UUID | None = None
    app_name: str = ""
    address: DestinationAddress
    restic_snapshot_id: str
    target_path: str
    files: tuple[str, ...] = ()
    """Exact paths in the snapshot; none means all of it."""
    overwrite: bool = False
    """Whether files that are there and differ may be replaced."""


class ForgetAdmitted(Work, frozen=True, kw_only=True):
    """Remove exactly these snapshots."""

    TYPE: ClassVar[str] = "forget.admitted"

    configuration_id: UUID
    address: DestinationAddress
    restic_snapshot_ids: tuple[str, ...]


class PruneAdmitted(Work, frozen=True, kw_only=True):
    """Free the space that no snapshot of this repository needs."""

    TYPE: ClassVar[str] = "prune.admitted"

    address: DestinationAddress


class InitRequested(Work, frozen=True, kw_only=True):
    """Test a new destination and make, or adopt, its repository."""

    TYPE: ClassVar[str] = "init.requested"

    address: DestinationAddress
    parent_path: str = ""
    """For a local one: the path that the person named; it must exist already."""


class ProtectionTestRequested(Work, frozen=True, kw_only=True):
    """Attack a canary at a destination with what a backup has, and tell what was refused."""

    TYPE: ClassVar[str] = "protection_test.requested"

    address: DestinationAddress


class ProbeRequested(Work, frozen=True, kw_only=True):
    """Test whether a destination can be reached and its repository opened."""

    TYPE: ClassVar[str] = "probe.requested"

    address: DestinationAddress
