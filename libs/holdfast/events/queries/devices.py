"""Devices and their apps."""

from uuid import UUID

from msgspec import UNSET, UnsetType

from holdfast.events import views
from holdfast.events.queries.base import Done, Query


class CreateDevice(Query[views.DeviceView], frozen=True, kw_only=True):
    """Declare a machine."""

    SUBJECT = "catalog.device.create"
    REPLY = views.DeviceView

    name: str
    type: str = "local"
    site: str = ""
    """Empty: the catalog's own site."""
    ssh_host: str = ""
    ssh_port: int = 22
    ssh_user: str = ""
    ssh_host_key: str = ""
    """A public key or its fingerprint; empty: the first one that is seen is trusted."""
    jump_device_id: UUID | None = None
    """Through which it is reached."""
    sudo: bool = False
    engine_socket: str = ""
    sealed_secrets: bytes = b""
    """``DestinationSecrets`` with what opens it, sealed to the catalog."""


class ListDevices(Query[tuple[views.DeviceView, ...]], frozen=True, kw_only=True):
    """All devices, by name."""

    SUBJECT = "catalog.device.list"
    REPLY = tuple[views.DeviceView, ...]


class GetDevice(Query[views.DeviceView], frozen=True, kw_only=True):
    """One device."""

    SUBJECT = "catalog.device.get"
    REPLY = views.DeviceView

    device_id: UUID


class UpdateDevice(Query[views.DeviceView], frozen=True, kw_only=True):
    """Change a device; what is UNSET stays."""

    SUBJECT = "catalog.device.update"
    REPLY = views.DeviceView

    device_id: UUID
    name: str | UnsetType = UNSET
    ssh_host: str | UnsetType = UNSET
    ssh_port: int | UnsetType = UNSET
    ssh_user: str | UnsetType = UNSET
    ssh_host_key: str | UnsetType = UNSET
    """Empty: what the device shows at the next test is trusted."""
    jump_device_id: UUID | UnsetType | None = UNSET
    """None: it is reached directly."""
    sudo: bool | UnsetType = UNSET
    engine_socket: str | UnsetType = UNSET
    sealed_secrets: bytes = b""
    """Empty: they stay."""


class TestDevice(Query[views.RunAccepted], frozen=True, kw_only=True):
    """Queue a run that reaches a device and looks what is there."""

    __test__ = False  # pytest would take the name for a test class

    SUBJECT = "catalog.device.test"
    REPLY = views.RunAccepted

    device_id: UUID


class DiscoverDevice(Query[views.RunAccepted], frozen=True, kw_only=True):
    """Queue a run that asks a device's container engines what they run."""

    SUBJECT = "catalog.device.discover"
    REPLY = views.RunAccepted

    device_id: UUID


class GetCoverage(Query[tuple[views.CoverageEntry, ...]], frozen=True, kw_only=True):
    """All data of all apps, and whether it is protected; by device, app and path."""

    SUBJECT = "catalog.coverage.get"
    REPLY = tuple[views.CoverageEntry, ...]


class RemoveDevice(Query[Done], frozen=True, kw_only=True):
    """Forget a device that nothing uses any more."""

    SUBJECT = "catalog.device.remove"
    REPLY = Done

    device_id: UUID


class CreateApp(Query[views.AppView], frozen=True, kw_only=True):
    """Declare an app; a configuration with the default policy is made with it."""

    SUBJECT = "catalog.app.create"
    REPLY = views.AppView

    name: str
    device_id: UUID
    paths: tuple[str, ...]


class RestoreApp(Query[views.RunAccepted], frozen=True, kw_only=True):
    """Queue the restore of a whole app."""

    SUBJECT = "catalog.app.restore"
    REPLY = views.RunAccepted

    app_id: UUID
    snapshot_id: UUID
    target_device_id: UUID | None = None
    """None: the app's own."""
    overwrite: bool = False
    dry_run: bool = False


class DiscardPrevious(Query[views.RunAccepted], frozen=True, kw_only=True):
    """Queue the removal of what was there before a restore of an app."""

    SUBJECT = "catalog.app.discard_previous"
    REPLY = views.RunAccepted

    app_id: UUID
    run_id: UUID
    """The restore's."""


class ListApps(Query[tuple[views.AppView, ...]], frozen=True, kw_only=True):
    """All apps, by name."""

    SUBJECT = "catalog.app.list"
    REPLY = tuple[views.AppView, ...]
