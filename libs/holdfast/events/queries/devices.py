"""Devices and their apps."""

from uuid import UUID

from holdfast.events import views
from holdfast.events.queries.base import Query


class CreateDevice(Query[views.DeviceView], frozen=True, kw_only=True):
    """Declare a machine."""

    SUBJECT = "catalog.device.create"
    REPLY = views.DeviceView

    name: str
    type: str = "local"
    site: str = ""
    """Empty: the catalog's own site."""


class ListDevices(Query[tuple[views.DeviceView, ...]], frozen=True, kw_only=True):
    """All devices, by name."""

    SUBJECT = "catalog.device.list"
    REPLY = tuple[views.DeviceView, ...]


class CreateApp(Query[views.AppView], frozen=True, kw_only=True):
    """Declare an app; a configuration with the default policy is made with it."""

    SUBJECT = "catalog.app.create"
    REPLY = views.AppView

    name: str
    device_id: UUID
    paths: tuple[str, ...]


class ListApps(Query[tuple[views.AppView, ...]], frozen=True, kw_only=True):
    """All apps, by name."""

    SUBJECT = "catalog.app.list"
    REPLY = tuple[views.AppView, ...]
