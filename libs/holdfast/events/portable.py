"""All settings of an instance in one document: what an export is, and a manifest.

Ids are kept, so that what refers to a thing finds it again.  Secrets are not in it: a file has
them beside it, sealed.
"""

from typing import Final
from uuid import UUID

import msgspec

from holdfast.events.base import AwareTime
from holdfast.events.consistency import Consistency
from holdfast.events.drills import DrillSettings
from holdfast.events.limits import NO_LIMITS, Limits
from holdfast.events.schedule import CatchUp
from holdfast.events.work import DestinationSecrets, DestinationType, FanOut, S3Addressing

FORMAT: Final = "holdfast-export"
VERSION: Final = 1
"""A reader of this version refuses a later one; fields with defaults may be added without."""

SECRETS_PURPOSE: Final = "export-secrets"
"""What sealed secrets on the bus, and in the file, are bound to."""

Secrets = dict[UUID, DestinationSecrets]
"""What opens each destination, and each device behind SSH.  Only ever encoded inside a seal."""


class Portable(msgspec.Struct, frozen=True, kw_only=True):
    """One thing of an instance, without what it came to."""

    id: UUID
    created_at: AwareTime


class PortableDevice(Portable, frozen=True, kw_only=True):
    """A machine."""

    name: str
    type: str
    site: str
    ssh_host: str = ""
    ssh_port: int = 22
    ssh_user: str = ""
    ssh_host_key: str = ""
    jump_device_id: UUID | None = None
    """The device through which it is reached; None: directly."""
    sudo: bool = False
    engine_socket: str = ""


class PortableApp(Portable, frozen=True, kw_only=True):
    """An app and its paths."""

    name: str
    device_id: UUID
    paths: tuple[str, ...]
    key: str = ""
    """What a discovery knows it again by; empty: a person declared it."""


class PortableDestination(Portable, frozen=True, kw_only=True):
    """A place backups go, and how it is reached; not what opens it."""

    name: str
    type: DestinationType
    enabled: bool = True
    local_device_id: UUID | None = None
    local_path: str = ""
    parent_path: str = ""
    s3_endpoint: str = ""
    s3_bucket: str = ""
    s3_region: str = ""
    s3_prefix: str = ""
    s3_addressing: S3Addressing = S3Addressing.AUTO
    s3_ca_certificate: str = ""
    s3_lock_mode: str = ""
    """S3 Object Lock; empty: none."""
    s3_lock_days: int = 0
    sftp_host: str = ""
    sftp_port: int = 22
    sftp_user: str = ""
    sftp_path: str = ""
    sftp_host_key: str = ""
    repository_id: str = ""
    """restic's; empty: not known yet, whatever the password opens is taken."""
    password_is_ours: bool = False
    prune_schedule: str = "0 4 * * 0"
    prune_timezone: str = "UTC"
    check_schedule: str = "0 5 * * *"
    verify_within_days: int = 30
    verify_budget_mib_per_day: int | None = None
    max_runs: int = 4
    limits: Limits = NO_LIMITS
    append_only: bool = False


class PortablePolicy(Portable, frozen=True, kw_only=True):
    """Schedule, keep rules and the destinations in their order."""

    name: str
    description: str = ""
    is_default: bool = False
    schedule: str
    timezone: str
    enabled: bool = True
    jitter_seconds: int = 0
    window_start: str | None = None
    window_end: str | None = None
    catch_up: CatchUp = CatchUp.RUN_ONCE
    fan_out: FanOut = FanOut.MIRROR
    keep_last: int = 0
    keep_hourly: int = 0
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    keep_yearly: int = 0
    destination_ids: tuple[UUID, ...] = ()


class PortableConfiguration(Portable, frozen=True, kw_only=True):
    """Which app follows which policy, and what of it is read."""

    app_id: UUID | None = None
    is_system_backup: bool = False
    system_type: str | None = None
    policy_id: UUID
    backup_volumes: bool = True
    backup_compose: bool = True
    backup_env: bool = True
    include_paths: tuple[str, ...] = ()
    exclude_paths: tuple[str, ...] = ()
    consistency: Consistency = Consistency()
    drill: DrillSettings = DrillSettings()
    enabled: bool = True


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of it.  Lists are in an order that does not depend on the moment."""

    format: str = FORMAT
    version: int = VERSION
    instance_id: UUID
    exported_at: AwareTime
    devices: tuple[PortableDevice, ...] = ()
    destinations: tuple[PortableDestination, ...] = ()
    policies: tuple[PortablePolicy, ...] = ()
    apps: tuple[PortableApp, ...] = ()
    configurations: tuple[PortableConfiguration, ...] = ()
