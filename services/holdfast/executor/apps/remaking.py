"""Containers that are gone are made again, by what the engine told of them at the backup.

Passwords are in that: it goes from restic's output to the engine's socket, and is on no
disk, in no argument, and in no message.
"""

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_network
from typing import Any
from urllib.parse import quote

import msgspec

from holdfast.devices.engine import Engine as Api
from holdfast.devices.engine import EngineRefusedError, open_here
from holdfast.devices.facts import facts_of
from holdfast.events.discovery import FoundApp
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.commands import runner_of, told_by
from holdfast.executor.consistency.engine import EngineMissingError
from holdfast.executor.consistency.environment import FILE, OWN_NETWORKS, Environments
from holdfast.restic import Restic
from holdfast.restic.commands import dump
from holdfast.restic.commands.dump import DumpOptions
from holdfast.restic.commands.snapshots import Snapshot

LISTENERS = "cat /proc/net/tcp /proc/net/tcp6 2>/dev/null; :"


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

    name: str
    config: dict[str, Any]
    host_config: dict[str, Any]
    network_settings: Networks = Networks()
    mounts: tuple[MountPoint, ...] | None = None

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
    def ports(self) -> frozenset[int]:
        """Of the device, that lead to it."""
        bindings = self.host_config.get("PortBindings") or {}
        told = (each.get("HostPort", "") for many in bindings.values() for each in many or ())
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


async def kept(restic: Restic, beside: Sequence[Snapshot]) -> Kept:
    """What is in what lies beside a snapshot; nothing where nothing does."""
    for each in reversed(beside):
        if [posixpath.basename(path) for path in each.paths] != [FILE]:
            continue
        options = DumpOptions(snapshot=each.id, path=f"/{FILE}")
        async with dump.open_stream(restic, options) as chunks:
            content = b"".join([chunk async for chunk in chunks])
        told = msgspec.json.decode(content, type=Environments)
        definitions = {
            one.container: msgspec.json.decode(one.inspected, type=Definition)
            for one in told.containers
            if bytes(one.inspected) != b"null"
        }
        networks = [msgspec.json.decode(each, type=Network) for each in told.networks]
        return Kept(
            beside=tuple(beside),
            definitions=definitions,
            app=told.app,
            networks={each.name: each for each in networks},
        )
    return Kept(beside=tuple(beside))


def ulimits_of(host: Mapping[str, Any]) -> list[dict[str, Any]]:
    """As an engine takes them: Podman tells ``RLIMIT_NOFILE`` of what it is asked as ``nofile``."""
    return [
        {**each, "Name": str(each.get("Name", "")).removeprefix("RLIMIT_").lower()}
        for each in host.get("Ulimits") or ()
    ]


def body_of(definition: Definition) -> dict[str, Any]:
    """What the engine is asked to make.  Pure.

    A volume without a name of its own is asked for by the name that it got.
    """
    host = {**definition.host_config, "Ulimits": ulimits_of(definition.host_config)}
    binds = [str(each) for each in host.get("Binds") or ()]
    seen = {each.split(":")[1] for each in binds if ":" in each}
    seen |= {str(each.get("Target")) for each in host.get("Mounts") or ()}
    host["Binds"] = binds + [
        f"{each.name}:{each.destination}"
        for each in definition.mounts or ()
        if each.type == "volume" and each.name and each.destination not in seen
    ]
    body: dict[str, Any] = {**definition.config, "HostConfig": host}
    first = next(iter(definition.networks.items()), None)
    if first is not None:
        body["NetworkingConfig"] = {"EndpointsConfig": {first[0]: _endpoint(first[1])}}
    return body


async def problems(
    attempt: Attempt, definitions: Sequence[Definition], networks: Mapping[str, Network]
) -> list[str]:
    """What keeps those containers, none of which is there, from being made."""
    api = await api_of(attempt)
    found = [
        f"The image {image} is not there: pull or load it first."
        for image in await missing_images(api, definitions)
    ]
    taken = await _ports_taken(attempt)
    for each in definitions:
        found += [
            f"Port {port}, which {each.name.lstrip('/')} needs, is taken."
            for port in sorted(each.ports & taken)
        ]
    return found + await _subnets_taken(api, definitions, networks)


async def missing_images(api: Api, definitions: Iterable[Definition]) -> list[str]:
    """Those that the engine does not have, each once."""
    return [
        image
        for image in dict.fromkeys(each.image for each in definitions)
        if await api.get(f"/images/{quote(image)}/json") is None
    ]


async def make(
    api: Api, definition: Definition, project: str, networks: Mapping[str, Network]
) -> None:
    """It, and the networks that it is in, as far as they are known.  Raises EngineRefusedError."""
    for name in definition.networks:
        if await api.get(f"/networks/{quote(name)}") is None:
            await _make_network(api, definition, name, project, networks.get(name))
    name = definition.name.lstrip("/")
    await api.post(
        f"/containers/create?name={quote(name)}", msgspec.json.encode(body_of(definition))
    )
    for network, endpoint in list(definition.networks.items())[1:]:
        words = {"Container": name, "EndpointConfig": _endpoint(endpoint)}
        await api.post(f"/networks/{quote(network)}/connect", msgspec.json.encode(words))


async def _make_network(
    api: Api, definition: Definition, name: str, project: str, kept: Network | None
) -> None:
    if kept is None:
        await api.post("/networks/create", msgspec.json.encode(_network(name, project)))
        return
    body = {
        "Name": name,
        "Driver": kept.driver,
        "Internal": kept.internal,
        "Attachable": kept.attachable,
        "EnableIPv6": kept.enable_ipv6,
        "Options": kept.options or {},
        "Labels": kept.labels or {},
    }
    try:
        await api.post("/networks/create", msgspec.json.encode({**body, "IPAM": kept.ipam}))
    except EngineRefusedError:
        if definition.networks[name].is_fixed:
            raise
        # The engine chose that subnet, or nobody relies on it: another one will do.
        await api.post("/networks/create", msgspec.json.encode(body))


async def _subnets_taken(
    api: Api, definitions: Sequence[Definition], networks: Mapping[str, Network]
) -> list[str]:
    """Of networks that are to be made, because an address in them is fixed."""
    wanted = {
        name
        for each in definitions
        for name, endpoint in each.networks.items()
        if endpoint.is_fixed and name in networks
    }
    if not wanted:
        return []
    told = await api.get("/networks")
    there = msgspec.json.decode(told or b"[]", type=list[Network])
    return [
        f"The subnet {subnet} of network {name} is taken by network {other.name}."
        for name in sorted(wanted - {each.name for each in there})
        for subnet in networks[name].subnets
        for other in there
        if any(_overlap(subnet, each) for each in other.subnets)
    ]


def _overlap(one: str, other: str) -> bool:
    first, second = ip_network(one, strict=False), ip_network(other, strict=False)
    return first.version == second.version and first.overlaps(second)


def _network(name: str, project: str) -> Mapping[str, Any]:
    labels = {
        "com.docker.compose.project": project,
        "com.docker.compose.network": name.removeprefix(f"{project}_"),
    }
    return {"Name": name, "Labels": labels if project else {}}


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    return {"Aliases": endpoint.aliases, "IPAMConfig": endpoint.i_p_a_m_config}


async def api_of(attempt: Attempt) -> Api:
    """The API of the engine where the app is.  Raises EngineMissingError."""
    facts = await facts_of(runner_of(attempt), attempt.deps.now, program="restic")
    socket = facts.docker or facts.podman
    if not socket:
        raise EngineMissingError("The container engine's socket does not answer there.")
    return Api(open_here if attempt.host is None else attempt.host.open, socket)


async def _ports_taken(attempt: Attempt) -> frozenset[int]:
    """The TCP ports that somebody listens at where the app goes."""
    rows = [line.split() for line in (await told_by(attempt, ("sh", "-c", LISTENERS))).lines]
    listening = "0A"
    return frozenset(
        int(row[1].rpartition(":")[2], 16) for row in rows if len(row) > 3 and row[3] == listening
    )
