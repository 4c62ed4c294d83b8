"""Devices and their apps."""

from uuid import UUID

from holdfast.events.base import AwareTime
from holdfast.events.discovery import DataKind, FoundApp
from holdfast.events.jumps import SshHost
from holdfast.events.run import DeviceProbeResult
from holdfast.events.views.base import View


class DeviceView(View, frozen=True, kw_only=True):
    """A machine whose data is backed up."""

    id: UUID
    name: str
    type: str
    """``local``: the machine the executor runs on; ``ssh``: one that it reaches over SSH."""
    site: str
    ssh_host: str | None = None
    ssh_port: int | None = None
    ssh_user: str | None = None
    ssh_host_key: str | None = None
    """The public key that the device must show."""
    ssh_host_key_fingerprint: str | None = None
    """Of that key, as SSH programs show it: ``SHA256:…``."""
    jump_device_id: UUID | None = None
    """The device through which it is reached; None: directly."""
    jumps: tuple[SshHost, ...] = ()
    """The whole way there, the first device first."""
    sudo: bool = False
    engine_socket: str = ""
    """Where its container engine listens; empty: at one of the usual places."""
    facts: DeviceProbeResult | None = None
    """What the last test found; None: none has succeeded yet."""
    tested_at: AwareTime | None = None
    unseen_since: AwareTime | None = None
    """Since then no look at what it runs has succeeded; None: the last one did, or none was."""
    created_at: AwareTime


class AppView(View, frozen=True, kw_only=True):
    """An application on a device: the paths of its data, declared by a person or found."""

    id: UUID
    name: str
    device_id: UUID
    paths: tuple[str, ...]
    found: FoundApp | None = None
    """What the last discovery says of it; None: a person declared it."""
    vanished_at: AwareTime | None = None
    """Since then it has no containers any more; what it left is backed up on."""
    last_proved_restorable_at: AwareTime | None = None
    """When the last drill of it succeeded; None: none has yet."""
    created_at: AwareTime


class CoverageEntry(View, frozen=True, kw_only=True):
    """Data of an app, or a volume that no app has, and whether it is protected."""

    device_id: UUID
    device_name: str
    app_id: UUID | None
    """None: it is of no app, but a volume that no container uses."""
    app_name: str
    kind: DataKind | None
    """None: a path that a person declared."""
    name: str
    """The volume's."""
    path: str
    protected: bool
    """A configuration backs it up, and has done so."""
    at_risk: bool
    """It is data, nothing protects it, and nobody said that nothing should."""
    configuration_id: UUID | None
    """Which one."""
    policy_name: str
    last_backup_at: AwareTime | None
    """The last backup of it without a flaw that can be restored."""
    age_seconds: float | None
    """Of that."""
    last_proved_restorable_at: AwareTime | None = None
    """When the last drill of that configuration succeeded."""
    reason: str
    """Why it is not protected, in a word; empty: it is."""
    explanation: str
    """The same for a person."""
    unseen_since: AwareTime | None = None
    """Since then nobody could find out what the device runs: there may be more of it."""
