"""Destinations."""

from uuid import UUID

from holdfast.events.base import AwareTime
from holdfast.events.checks import Health
from holdfast.events.limits import NO_LIMITS, Limits
from holdfast.events.run import Attack
from holdfast.events.views.base import View
from holdfast.events.work import DestinationType, ObjectLock, S3Addressing


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
    s3_addressing: S3Addressing | None = None
    s3_ca_certificate: str | None = None
    object_lock: ObjectLock | None = None
    protected_at: AwareTime | None = None
    """Object Lock was seen to hold all that was there then."""
    has_maintenance_credentials: bool = False
    """Another pair of keys does what deletes."""
    sftp_host: str | None = None
    sftp_port: int | None = None
    sftp_user: str | None = None
    sftp_path: str | None = None
    sftp_host_key: str | None = None
    """The public key that the server must show."""
    sftp_host_key_fingerprint: str | None = None
    """Of that key, as SSH programs show it: ``SHA256:…``."""
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
    """Bytes at the destination when it was last measured (after a check or prune); 0 before."""
    total_restore_size: int = 0
    """Bytes that all snapshots would be if each were restored, at the same time."""
    compression_ratio: float = 0.0
    health: Health = Health.UNKNOWN
    """What checks have found."""
    damaged_since: AwareTime | None = None
    checked_at: AwareTime | None = None
    """When its structure was last looked at."""
    last_backup_at: AwareTime | None = None
    created_at: AwareTime
    updated_at: AwareTime


class DestinationChange(View, frozen=True, kw_only=True):
    """A changed destination, and the run that tries what is to open it from now on."""

    destination: DestinationView
    run_id: UUID | None = None
    """None: nothing had to be tried."""


class DestinationRef(View, frozen=True, kw_only=True):
    """A destination as a policy lists it."""

    id: UUID
    name: str
    type: DestinationType
