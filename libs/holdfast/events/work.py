"""What an executor is given to do, one struct an operation."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

import msgspec

from holdfast.events.base import AwareTime, Work
from holdfast.events.consistency import Consistency
from holdfast.events.discovery import FoundApp
from holdfast.events.jumps import JumpLogin, SshHost
from holdfast.events.limits import NO_LIMITS, Limits
from holdfast.events.restoring import RestoreMode
from holdfast.events.system import SystemType


class DestinationType(StrEnum):
    """A kind of storage: the spec's words."""

    S3 = "s3"
    LOCAL = "local"
    SFTP = "sftp"


class S3Addressing(StrEnum):
    """Where the bucket's name goes in an S3 address."""

    AUTO = "auto"
    PATH = "path"
    VIRTUAL = "virtual"
    """In front of the host."""


class LockMode(StrEnum):
    """How strongly S3 Object Lock holds."""

    GOVERNANCE = "governance"
    """A key that has the right to bypass it can delete."""

    COMPLIANCE = "compliance"
    """Nobody can, the account's owner included."""


class ObjectLock(msgspec.Struct, frozen=True, kw_only=True):
    """What is written cannot be deleted for so long."""

    mode: LockMode
    days: int


class FanOut(StrEnum):
    """How a backup reaches the second and further destinations of its policy."""

    PARALLEL = "parallel"
    """restic reads the source for each of them, all at once."""
    COPY = "copy"
    """restic reads the source once, and copies the snapshot from destination to destination."""
    MIRROR = "mirror"
    """As ``copy``, but what is new is carried over as it is, without unsealing it, wherever
    two repositories share their master key."""


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
    s3_addressing: S3Addressing = S3Addressing.AUTO
    s3_ca_certificate: str = ""
    """PEM; only this is trusted for the endpoint's certificate.  Empty: the machine's own."""
    sftp_host: str = ""
    sftp_port: int = 22
    sftp_user: str = ""
    sftp_path: str = ""
    """The repository's own directory; without a slash in front it is below the user's home."""
    sftp_host_key: str = ""
    """The pinned host key (an OpenSSH public key), or until it is known: the fingerprint that it
    must have, or nothing when the first key is to be trusted."""
    sftp_jumps: tuple[SshHost, ...] = ()
    """The devices through which it is reached, the first one first; none: directly."""
    config_digest: str = ""
    """By which the repository is known again without opening it; empty: not known."""
    repository_id: str = ""
    """restic's id of the repository, once it is known: what is opened must have it."""
    cheap_key: bool = False
    """The password is machine-made, so its key needs no costly derivation."""
    object_lock: ObjectLock | None = None
    limits: Limits = NO_LIMITS
    append_only: bool = False
    """Backups go through a relay that deletes and changes nothing but restic's locks."""


class DestinationSecrets(msgspec.Struct, frozen=True, kw_only=True):
    """What opens a destination, or by its SSH part a device.

    Only ever encoded inside a sealed envelope.
    """

    repo_password: str
    s3_access_key: str = ""
    s3_secret_key: str = ""
    s3_maintenance_access_key: str = ""
    s3_maintenance_secret_key: str = ""
    """A second pair, for what deletes; none: the first does all."""
    sftp_password: str = ""
    sftp_private_key: str = ""
    sftp_passphrase: str = ""
    """Opens the private key, if it is encrypted."""
    jump_logins: tuple[JumpLogin, ...] = ()
    """Of the devices on the way there; an executor is given them, they are not kept with it."""
    next_password: str = ""
    """While the repository's password is changed: the one to come."""
    old_password: str = ""
    """While it is changed: the one that was, whose keys are to go."""

    @property
    def has_maintenance(self) -> bool:
        """Whether there is a second pair."""
        return self.s3_maintenance_access_key != ""

    def everyday(self) -> "DestinationSecrets":
        """Without the second pair."""
        return msgspec.structs.replace(
            self, s3_maintenance_access_key="", s3_maintenance_secret_key=""
        )

    def maintenance(self) -> "DestinationSecrets":
        """With the second pair, if there is one, in the place of the first."""
        if not self.has_maintenance:
            return self
        return msgspec.structs.replace(
            self.everyday(),
            s3_access_key=self.s3_maintenance_access_key,
            s3_secret_key=self.s3_maintenance_secret_key,
        )


class DeviceAddress(SshHost, frozen=True, kw_only=True):
    """Where a device is on which something is done, without what opens it."""

    jumps: tuple[SshHost, ...] = ()
    """The devices through which it is reached, the first one first; none: directly."""
    sudo: bool = False
    """Programs there run as root, which sudo must allow unasked."""
    engine_socket: str = ""
    """Where its container engine listens; empty: at one of the usual places."""


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
    exclude_caches: bool = False
    """Whether directories that say that they are caches (CACHEDIR.TAG) are left out."""
    environment_of: tuple[str, ...] = ()
    """Containers whose environment goes into a snapshot of its own: its values are in no database
    and on no bus, so the executor asks the engine for them."""
    found: FoundApp | None = None
    """What a discovery said of the app: kept beside the snapshot, so that the app comes back as it
    was, whatever has become of it."""
    system: SystemType | None = None
    """What of Holdfast itself is backed up; None: the paths.  It is one file then, which is made
    in memory, and *paths* is its name."""
    tags: tuple[str, ...]
    targets: tuple[BackupTarget, ...]
    device: DeviceAddress | None = None
    """Where the paths are, when that is behind SSH; None: on the executor's own machine."""
    consistency: Consistency | None = None
    """What is done around it; None: nothing."""
    fan_out: FanOut = FanOut.PARALLEL
    """Absent before there was a choice."""


class RestoreSource(msgspec.Struct, frozen=True, kw_only=True):
    """A destination that has the content to be restored."""

    address: DestinationAddress
    restic_snapshot_id: str


class RestoreRequested(Work, frozen=True, kw_only=True):
    """Bring a snapshot, or some files of it, back below a path."""

    TYPE: ClassVar[str] = "restore.requested"

    configuration_id: UUID | None = None
    app_id: UUID | None = None
    app_name: str = ""
    address: DestinationAddress
    restic_snapshot_id: str
    target_path: str
    others: tuple[RestoreSource, ...] = ()
    """Where the same content is, should the first fail; in the order in which they are tried."""
    files: tuple[str, ...] = ()
    """Exact paths in the snapshot; none means all of it."""
    mode: RestoreMode = RestoreMode.NEVER
    dry_run: bool = False
    """Only tell what would be done."""
    verify: bool = False
    """Read what was written again, and compare."""
    sparse: bool = True
    """Long rows of zeros take no space."""
    device: DeviceAddress | None = None
    """Where they go, when that is behind SSH; None: to the executor's own machine."""


class AppRestoreRequested(Work, frozen=True, kw_only=True):
    """Bring a whole app back: its data, its files, and its containers."""

    TYPE: ClassVar[str] = "app_restore.requested"

    configuration_id: UUID | None = None
    app_id: UUID
    app_name: str = ""
    address: DestinationAddress
    restic_snapshot_id: str
    others: tuple[RestoreSource, ...] = ()
    """As of a restore of files."""
    backup_run_id: UUID
    """The run that made the snapshot: what was kept beside it is known by that."""
    found: FoundApp
    """What was last known of the app on its own device."""
    device: DeviceAddress | None = None
    """Where it goes, when that is behind SSH; None: to the executor's own machine."""
    elsewhere: bool = False
    """It goes to another device than its own."""
    overwrite: bool = False
    """On another device: directories that are there and not empty are set aside."""
    dry_run: bool = False
    """Only look, and tell what would be done."""


class ForgetAdmitted(Work, frozen=True, kw_only=True):
    """Remove exactly these snapshots."""

    TYPE: ClassVar[str] = "forget.admitted"

    configuration_id: UUID
    address: DestinationAddress
    restic_snapshot_ids: tuple[str, ...]
    planned_at: AwareTime | None = None
    """When it was decided which."""


class PruneAdmitted(Work, frozen=True, kw_only=True):
    """Free the space that no snapshot of this repository needs."""

    TYPE: ClassVar[str] = "prune.admitted"

    address: DestinationAddress


class CheckRequested(Work, frozen=True, kw_only=True):
    """Look whether this repository is whole, and read some of its data."""

    TYPE: ClassVar[str] = "check.requested"

    address: DestinationAddress
    parts: int = 0
    """Into how many its data is divided, 256 at most; 0: none of it is read."""
    read: tuple[int, ...] = ()
    """Which of them are read, from 1.  Part 1 of 1 is all of it."""
    repository_size: int = 0
    """Bytes, when last measured: progress is told in them."""


class ProtectRequested(Work, frozen=True, kw_only=True):
    """Retain what a destination with Object Lock holds, and sweep what it need not hold."""

    TYPE: ClassVar[str] = "protect.requested"

    address: DestinationAddress


class UndeleteRequested(Work, frozen=True, kw_only=True):
    """Bring back what was deleted or overwritten at a destination that keeps versions."""

    TYPE: ClassVar[str] = "undelete.requested"

    address: DestinationAddress
    since: AwareTime
    """Just before the first of what is to be undone."""


class InitRequested(Work, frozen=True, kw_only=True):
    """Test a new destination and make, or adopt, its repository."""

    TYPE: ClassVar[str] = "init.requested"

    address: DestinationAddress
    parent_path: str = ""
    """For a local or SFTP one: the path that the person named; it must exist already."""
    first: DestinationAddress | None = None
    """The house's first destination: a new repository cuts files as that one does, and shares
    its master key where objects can be carried from one to the other."""


class ProtectionTestRequested(Work, frozen=True, kw_only=True):
    """Attack a canary at a destination with what a backup has, and tell what was refused."""

    TYPE: ClassVar[str] = "protection_test.requested"

    address: DestinationAddress


class ProbeRequested(Work, frozen=True, kw_only=True):
    """Test whether a destination can be reached and its repository opened."""

    TYPE: ClassVar[str] = "probe.requested"

    address: DestinationAddress


class DeviceProbeRequested(Work, frozen=True, kw_only=True):
    """Test whether a device can be reached, and look what is there."""

    TYPE: ClassVar[str] = "device.probe_requested"

    device: DeviceAddress


class DiscoverRequested(Work, frozen=True, kw_only=True):
    """Ask a device's container engines what they run, and tell the catalog."""

    TYPE: ClassVar[str] = "discover.requested"

    device_id: UUID
    device: DeviceAddress | None = None
    """None: the executor's own machine."""
    own_paths: tuple[str, ...] = ()
    """Repositories on the device, which are nobody's data."""


class ImportRequested(Work, frozen=True, kw_only=True):
    """Look which snapshots are in a repository, and tell the catalog."""

    TYPE: ClassVar[str] = "import.requested"

    address: DestinationAddress


class ListFilesRequested(Work, frozen=True, kw_only=True):
    """Tell the catalog which files a snapshot has."""

    TYPE: ClassVar[str] = "list_files.requested"

    address: DestinationAddress
    snapshot_id: UUID
    """The catalog's row."""
    restic_snapshot_id: str


class RotatePasswordRequested(Work, frozen=True, kw_only=True):
    """Bring a repository's new password into use, and remove the keys of the old one."""

    TYPE: ClassVar[str] = "rotate_password.requested"

    address: DestinationAddress


class RebuildRequested(Work, frozen=True, kw_only=True):
    """Find the newest settings that a repository carries, and tell the catalog."""

    TYPE: ClassVar[str] = "rebuild.requested"

    address: DestinationAddress


class HealRequested(Work, frozen=True, kw_only=True):
    """Repair a repository with what others have."""

    TYPE: ClassVar[str] = "heal.requested"

    address: DestinationAddress
    siblings: tuple[DestinationAddress, ...]
    """Where what is missing may be found."""
