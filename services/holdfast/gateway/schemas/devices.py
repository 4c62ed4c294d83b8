"""Devices and apps, declared by a person."""

from typing import Annotated
from uuid import UUID

import msgspec

from holdfast.events.queries import CreateApp, CreateDevice
from holdfast.events.views import AppView, DeviceView
from holdfast.gateway.schemas.text import AbsolutePath, Name, OptionalWord, Request, Word


class DeviceRequest(Request, frozen=True, kw_only=True):
    """A machine whose data is to be backed up."""

    name: Name
    type: Word = "local"
    site: OptionalWord = ""
    """Which executors serve it; empty: the instance's own."""

    def query(self) -> CreateDevice:
        """The question to the catalog."""
        return CreateDevice(name=self.name, type=self.type, site=self.site)


class AppRequest(Request, frozen=True, kw_only=True):
    """An application, as the paths of its data on a device."""

    name: Name
    device_id: UUID
    paths: Annotated[tuple[AbsolutePath, ...], msgspec.Meta(min_length=1, max_length=1000)]

    def query(self) -> CreateApp:
        """The question to the catalog."""
        return CreateApp(name=self.name, device_id=self.device_id, paths=self.paths)


class DeviceList(msgspec.Struct, frozen=True, kw_only=True):
    """All devices, by name."""

    devices: tuple[DeviceView, ...]


class AppList(msgspec.Struct, frozen=True, kw_only=True):
    """All apps, by name."""

    apps: tuple[AppView, ...]
