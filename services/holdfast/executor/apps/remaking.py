"""Containers are made again, by what the engine told of them at the backup."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any
from urllib.parse import quote

import msgspec

from holdfast.devices.engine import Engine as Api
from holdfast.devices.engine import EngineRefusedError, open_here
from holdfast.devices.facts import facts_of
from holdfast.executor.apps.definitions import Definition, Endpoint, Network
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.commands import runner_of, told_by
from holdfast.executor.consistency.engine import EngineMissingError, is_podmans

OF_A_NETWORK = frozenset(("Hostname", "Domainname", "MacAddress", "ExposedPorts"))
"""What a container has of its own only in a network of its own."""

LISTENERS = "cat /proc/net/tcp /proc/net/tcp6 2>/dev/null; :"


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
    config = definition.config
    if definition.shares_with:
        # They are the other container's, and the engine refuses them twice.
        config = {name: value for name, value in config.items() if name not in OF_A_NETWORK}
    body: dict[str, Any] = {**config, "HostConfig": host}
    first = next(iter(definition.networks.items()), None)
    if first is not None:
        body["NetworkingConfig"] = {"EndpointsConfig": {first[0]: _endpoint(first[1])}}
    return body


async def problems(
    attempt: Attempt,
    api: Api,
    definitions: Sequence[Definition],
    networks: Mapping[str, Network],
    *,
    free: frozenset[int],
) -> list[str]:
    """What keeps those containers from being made.  *free*: ports that will be, by then."""
    taken = await _ports_taken(attempt) - free
    found = [
        f"Port {port}, which {each.plain_name} needs, is taken."
        for each in definitions
        for port in sorted(each.ports & taken)
    ]
    return found + await _subnets_taken(api, definitions, networks)


async def make(
    api: Api, definition: Definition, project: str, networks: Mapping[str, Network]
) -> None:
    """It, and the networks that it is in, as far as they are known.  Raises EngineRefusedError."""
    for name in definition.networks:
        if await api.get(f"/networks/{quote(name)}") is None:
            await _make_network(api, definition, name, project, networks.get(name))
    name = definition.plain_name
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
    connect = open_here if attempt.host is None else attempt.host.open
    found = [Api(connect, each) for each in (facts.docker, facts.podman) if each]
    if not found:
        raise EngineMissingError("The container engine's socket does not answer there.")
    if is_podmans(attempt):
        for each in found:
            if b"Podman" in (await each.get("/version") or b""):
                return each
    return found[0]


async def _ports_taken(attempt: Attempt) -> frozenset[int]:
    """The TCP ports that somebody listens at where the app goes."""
    rows = [line.split() for line in (await told_by(attempt, ("sh", "-c", LISTENERS))).lines]
    listening = "0A"
    return frozenset(
        int(row[1].rpartition(":")[2], 16) for row in rows if len(row) > 3 and row[3] == listening
    )
