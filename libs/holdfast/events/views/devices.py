"""Devices and their apps."""

from uuid import UUID

from holdfast.events.base import AwareTime
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
    sudo: bool = False
    facts: DeviceProbeResult | None = None
    """What the last test found; None: none has succeeded yet."""
    tested_at: AwareTime | None = None
    created_at: AwareTime


class AppView(View, frozen=True, kw_only=True):
    """An application on a device, declared as the paths of its data."""

    id: UUID
    name: str
    device_id: UUID
    paths: tuple[str, ...]
    created_at: AwareTime
