"""What the container engines of a device run: apps, and where their data is."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

import msgspec

from holdfast.events.base import AwareTime, Event
from holdfast.events.consistency import Hook, Quiet
from holdfast.events.run import Failure


class DataKind(StrEnum):
    """How data comes to a container."""

    VOLUME = "volume"
    BIND = "bind"


class LeftOut(StrEnum):
    """Why something that a container sees is no data to back up."""

    SWITCHED_OFF = "switched_off"
    """A label of its containers says so."""
    KERNEL = "kernel"
    """The kernel's own trees, or what lives only while the machine runs."""
    SOCKET = "socket"
    WHOLE_MACHINE = "whole_machine"
    """The device's root directory."""
    ENGINE = "engine"
    """The engine's own directory."""
    HOLDFAST = "holdfast"
    """A repository, or Holdfast's own directory."""
    NO_FILES = "no_files"
    """A volume whose driver keeps it elsewhere, or in memory."""
    NOT_MOUNTED = "not_mounted"
    """A network volume, which is there only while a container uses it."""


class FoundData(msgspec.Struct, frozen=True, kw_only=True):
    """A volume or a directory of the device that an app's containers see."""

    kind: DataKind
    name: str = ""
    """The volume's."""
    path: str
    """Where its files are on the device; empty: nowhere."""
    services: tuple[str, ...]
    """Who sees it."""
    left_out: LeftOut | None = None
    """Why it is not backed up; None: it is to be."""


class FoundService(msgspec.Struct, frozen=True, kw_only=True):
    """One container of an app."""

    name: str
    """The compose service; a lone container's own name."""
    container: str
    image: str
    status: str
    """As ``running``, ``exited``."""
    depends_on: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    """Names of its environment variables; never their values."""
    is_database: bool = False
    """Known by its image, and so to be dumped while it runs."""


class FoundApp(msgspec.Struct, frozen=True, kw_only=True):
    """A compose project, or a container of none."""

    key: str
    """The same for the same app at each look at its device."""
    engine: str
    """``docker`` or ``podman``."""
    name: str
    services: tuple[FoundService, ...]
    """In the order in which they are started."""
    data: tuple[FoundData, ...] = ()
    compose_files: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    is_switched_off: bool = False
    """All of its containers are labelled ``holdfast.enable=false``."""
    policy: str = ""
    """The label's wish."""
    quiet: Quiet = Quiet.RUN
    """The same: what its containers do while it is backed up."""
    hooks: tuple[Hook, ...] = ()
    """The same: what is done in them around a backup."""
    exclude: tuple[str, ...] = ()
    """What the labels name, and what is Holdfast's own below the data."""

    def data_paths(self) -> tuple[str, ...]:
        """Of the data that is to be backed up."""
        return tuple(each.path for each in self.data if each.left_out is None)

    def paths(self) -> tuple[str, ...]:
        """All that is to be backed up of it, each once."""
        every = (*self.data_paths(), *self.compose_files, *self.env_files)
        return tuple(dict.fromkeys(every))


class Unprotected(msgspec.Struct, frozen=True, kw_only=True):
    """Data that no backup takes in."""

    app_name: str
    path: str
    name: str = ""
    """The volume's."""
    reason: str
    explanation: str


class DataUnprotected(Event, frozen=True, kw_only=True):
    """A discovery met data that no backup takes in, and that nobody was told of."""

    TYPE: ClassVar[str] = "data.unprotected"

    device_id: UUID
    device_name: str
    run_id: UUID
    places: tuple[Unprotected, ...]


class DeviceUnseen(Event, frozen=True, kw_only=True):
    """Several times in a row nobody could find out what a device runs."""

    TYPE: ClassVar[str] = "device.unseen"

    device_id: UUID
    device_name: str
    run_id: UUID
    """The last that tried."""
    since: AwareTime
    """When the first of them failed."""
    failure: Failure
    """Why the last did."""


class EngineChanged(Event, frozen=True, kw_only=True):
    """Containers or volumes came or went on a device, or somebody has begun to listen there."""

    TYPE: ClassVar[str] = "engine.changed"

    device_id: UUID


class DeviceDiscovered(Event, frozen=True, kw_only=True):
    """A device's container engines were asked what they run."""

    TYPE: ClassVar[str] = "device.discovered"

    run_id: UUID
    claim: int
    device_id: UUID
    engines: tuple[str, ...]
    """Who answered; of the apps of one that did not, nothing is said."""
    apps: tuple[FoundApp, ...]
    loose: tuple[FoundData, ...] = ()
    """Volumes that no container uses, of no app that was found."""


class AppDiscovered(Event, frozen=True, kw_only=True):
    """An app was found that was not known, or is back."""

    TYPE: ClassVar[str] = "app.discovered"

    app_id: UUID
    device_id: UUID
    name: str


class AppVanished(Event, frozen=True, kw_only=True):
    """An app that was found before has no containers any more."""

    TYPE: ClassVar[str] = "app.vanished"

    app_id: UUID
    device_id: UUID
    name: str
