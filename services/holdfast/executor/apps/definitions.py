"""What the engine told of an app's containers, at the backup or now.

Passwords are in that: what is read here goes to the engine's socket, and is on no disk, in no
argument, and in no message.
"""

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from holdfast.devices.engine import Engine as Api
from holdfast.events.discovery import FoundApp
from holdfast.executor.consistency.environment import FILE, OWN_NETWORKS, Environments
from holdfast.restic import Restic
from holdfast.restic.commands import dump
from holdfast.restic.commands.dump import DumpOptions
from holdfast.restic.commands.snapshots import Snapshot

SHARED = "container:"
"""How a container's network is called that is another container's."""

MODES = ("NetworkMode", "IpcMode", "PidMode")
"""What may be another container's, which the engine tells by its id."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """How a container is in a network."""

    aliases: tuple[str, ...] | None = None
    i_p_a_m_config: dict[str, Any] | None = msgspec.field(name="IPAMConfig", default=None)

    @property
    def is_fixed(self) -> bool:
        """Whether it has an address there that somebody chose."""
        return any((self.i_p_a_m_config or {}).values())


class Networks(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Those that a container is in."""

    networks: dict[str, Endpoint] | None = None
    ports: dict[str, tuple[dict[str, str], ...] | None] | None = None
    """While it runs: what leads to it."""


class Network(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A network as the engine told of it."""

    name: str
    driver: str = "bridge"
    internal: bool = False
    attachable: bool = False
    enable_ipv6: bool = msgspec.field(name="EnableIPv6", default=False)
    ipam: dict[str, Any] | None = msgspec.field(name="IPAM", default=None)
    options: dict[str, str] | None = None
    labels: dict[str, str] | None = None

    @property
    def subnets(self) -> tuple[str, ...]:
        """Those that it has."""
        told = (self.ipam or {}).get("Config") or ()
        return tuple(str(each["Subnet"]) for each in told if each.get("Subnet"))


class MountPoint(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What a container sees at a path."""

    type: str
    name: str = ""
    source: str = ""
    """Where it is on the device."""
    destination: str
    writable: bool = msgspec.field(name="RW", default=True)


class Definition(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A container as the engine told of it.  What only passes through keeps the engine's form."""

    id: str = ""
    name: str
    config: dict[str, Any]
    host_config: dict[str, Any]
    network_settings: Networks = Networks()
    mounts: tuple[MountPoint, ...] | None = None
    image_id: str = msgspec.field(name="Image", default="")
    """Which image that was, whatever its name means now."""

    @property
    def plain_name(self) -> str:
        """Without the API's slash in front."""
        return self.name.lstrip("/")

    @property
    def image(self) -> str:
        """As it was asked for."""
        return str(self.config.get("Image", ""))

    @property
    def networks(self) -> dict[str, Endpoint]:
        """Those that are not the engine's own."""
        found = self.network_settings.networks or {}
        return {name: each for name, each in found.items() if name not in OWN_NETWORKS}

    @property
    def shares_with(self) -> str:
        """The container whose network it is in; empty: none's."""
        mode = str(self.host_config.get("NetworkMode", ""))
        return mode.removeprefix(SHARED) if mode.startswith(SHARED) else ""

    @property
    def ports(self) -> frozenset[int]:
        """Of the device, that are to lead to it."""
        return _ports_in(self.host_config.get("PortBindings"))

    @property
    def open_ports(self) -> frozenset[int]:
        """Of the device, that lead to it now."""
        return _ports_in(self.network_settings.ports)


def _ports_in(bindings: Mapping[str, Iterable[Mapping[str, str]] | None] | None) -> frozenset[int]:
    told = (each.get("HostPort", "") for many in (bindings or {}).values() for each in many or ())
    return frozenset(int(port) for port in told if port.isdecimal())


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What lies beside a snapshot."""

    beside: tuple[Snapshot, ...] = ()
    """Oldest first."""
    definitions: Mapping[str, Definition] = {}
    """By container."""
    app: FoundApp | None = None
    """What the app was then."""
    networks: Mapping[str, Network] = {}
    """Those that its containers were in, by name."""
    registry_names: Mapping[str, tuple[str, ...] | None] = {}
    """By container, what its image can be had by again; None: it is not known."""


async def kept_in(restic: Restic, beside: Sequence[Snapshot]) -> Kept:
    """What is in what lies beside a snapshot; nothing where nothing does."""
    for each in reversed(beside):
        if [posixpath.basename(path) for path in each.paths] != [FILE]:
            continue
        options = DumpOptions(snapshot=each.id, path=f"/{FILE}")
        async with dump.open_stream(restic, options) as chunks:
            content = b"".join([chunk async for chunk in chunks])
        told = msgspec.json.decode(content, type=Environments)
        inspected = [each for each in told.containers if bytes(each.inspected) != b"null"]
        definitions = by_name(
            msgspec.json.decode(each.inspected, type=Definition) for each in inspected
        )
        networks = [msgspec.json.decode(each, type=Network) for each in told.networks]
        return Kept(
            beside=tuple(beside),
            definitions=definitions,
            app=told.app,
            networks={each.name: each for each in networks},
            registry_names={each.container: each.registry_names for each in inspected},
        )
    return Kept(beside=tuple(beside))


async def as_now(api: Api, names: Iterable[str]) -> dict[str, Definition]:
    """Those of the containers that are there.  Raises EngineRefusedError."""
    told = [await api.get(f"/containers/{quote(name)}/json") for name in names]
    return by_name(msgspec.json.decode(each, type=Definition) for each in told if each is not None)


def by_name(definitions: Iterable[Definition]) -> dict[str, Definition]:
    """And what one has of another is told by that one's name: its id goes with it.  Pure."""
    found = tuple(definitions)
    ids = {f"{SHARED}{each.id}": f"{SHARED}{each.plain_name}" for each in found}
    return {each.plain_name: _renamed(each, ids) for each in found}


def _renamed(definition: Definition, ids: Mapping[str, str]) -> Definition:
    modes = {
        each: ids[definition.host_config[each]]
        for each in MODES
        if definition.host_config.get(each) in ids
    }
    if not modes:
        return definition
    return msgspec.structs.replace(definition, host_config={**definition.host_config, **modes})
