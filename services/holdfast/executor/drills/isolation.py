"""A container of an app as a drill makes it again: on scratch data, shut off from all else.  Pure.

What the engine is asked for is built from what is known to be harmless, not by taking out what
is known to harm: a setting that nobody thought of is left out.
"""

import posixpath
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

import msgspec

from holdfast.events.discovery import DataKind, FoundApp
from holdfast.executor.apps.definitions import Definition, MountPoint
from holdfast.executor.apps.remaking import ulimits_of
from holdfast.executor.discovery import DRILL, ENABLE

CONFIG = (
    *("Image", "Cmd", "Entrypoint", "Env", "User", "WorkingDir", "Healthcheck", "Hostname"),
    *("StopSignal", "StopTimeout", "Tty", "OpenStdin", "Shell"),
)
"""Kept.  Not its labels: a proxy that reads them would send the app's visitors here."""

HOST_CONFIG = (
    *("Memory", "MemoryReservation", "MemorySwap", "NanoCpus", "CpuShares", "CpuPeriod"),
    *("CpuQuota", "PidsLimit", "ShmSize", "Ulimits", "ReadonlyRootfs", "Init", "Tmpfs"),
    *("CapDrop", "GroupAdd"),
)
HARMLESS_SECURITY = "no-new-privileges"

TOLD = {
    "Privileged": "privileged mode",
    "Devices": "devices",
    "DeviceRequests": "devices (as a GPU)",
    "CapAdd": "added capabilities",
    "Sysctls": "kernel settings",
    "ExtraHosts": "extra host names",
}
"""What an app may miss."""
SHARED = {
    "NetworkMode": "network",
    "PidMode": "processes",
    "IpcMode": "shared memory",
    "UsernsMode": "users",
}


class FreshVolume(msgspec.Struct, frozen=True, kw_only=True):
    """An empty one, for data that was not backed up."""

    name: str
    destination: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One container of a drill."""

    name: str
    body: dict[str, Any]
    """Passwords are in it."""
    volumes: tuple[FreshVolume, ...]
    left_out: tuple[str, ...]


def prefix_of(drill_id: UUID) -> str:
    """Names of all that a drill makes begin so; the random end of the id, not its time."""
    return f"holdfast-drill-{drill_id.hex[-8:]}"


def name_of(drill_id: UUID, container: str) -> str:
    """What the drill calls the app's *container*."""
    return f"{prefix_of(drill_id)}-{container}"


def labels_of(drill_id: UUID) -> dict[str, str]:
    """Of all that a drill makes."""
    return {ENABLE: "false", DRILL: str(drill_id)}


def network_of(drill_id: UUID, engine: str) -> dict[str, Any]:
    """The network without a way out.

    Docker's internal networks alone still lead to the device itself, and so to what runs there:
    the bridge gets no address.  Podman knows no such option.
    """
    network = {"Name": prefix_of(drill_id), "Internal": True, "Labels": labels_of(drill_id)}
    closed = {"Options": {"com.docker.network.bridge.inhibit_ipv4": "true"}}
    return network | closed if engine == "docker" else network


def source_of(found: FoundApp, mount: MountPoint) -> str:
    """Its path in the snapshot; empty: it is not in there."""
    if mount.type not in ("volume", "bind"):
        return ""
    named = {each.name: each.path for each in found.data if each.kind is DataKind.VOLUME}
    path = posixpath.normpath(named.get(mount.name) or mount.source or "/")
    kept = any(path == one or path.startswith(one.rstrip("/") + "/") for one in found.paths())
    return path if kept and path != "/" else ""


def below(root: str, path: str) -> str:
    """Where the scratch directory has the snapshot's *path*."""
    return root.rstrip("/") + path


def plan(
    drill_id: UUID,
    found: FoundApp,
    definition: Definition,
    root: str,
    there: Collection[str],
    *,
    service: str = "",
) -> Plan:
    """*there*: the paths below *root* that are there and lead to nowhere outside of it."""
    container = definition.name.lstrip("/")
    left_out: list[str] = []
    mounts: list[dict[str, Any]] = []
    volumes: list[FreshVolume] = []
    seen = set()
    for mount in definition.mounts or ():
        seen.add(posixpath.normpath(mount.destination))
        source = source_of(found, mount)
        if source and below(root, source) in there:
            mounts.append(_bound(below(root, source), mount))
        elif mount.type == "volume":
            volumes.append(_fresh(drill_id, container, len(volumes), mount.destination))
            left_out.append(
                f"{container}: what was in {mount.destination} is not in the snapshot: empty here."
            )
        elif mount.type == "bind":
            left_out.append(
                f"{container}: {mount.source} at {mount.destination} is not in the snapshot."
            )
    for destination in definition.config.get("Volumes") or ():
        # The image asks for it; the engine would make one without our labels.
        if posixpath.normpath(destination) not in seen:
            volumes.append(_fresh(drill_id, container, len(volumes), destination))
    mounts += [
        {"Type": "volume", "Source": each.name, "Target": each.destination} for each in volumes
    ]
    network = prefix_of(drill_id)
    body = {key: definition.config[key] for key in CONFIG if key in definition.config} | {
        "Labels": labels_of(drill_id),
        "HostConfig": _host(definition.host_config)
        | {"NetworkMode": network, "Mounts": mounts, "RestartPolicy": {"Name": "no"}},
        "NetworkingConfig": {
            "EndpointsConfig": {network: {"Aliases": _aliases(definition, container, service)}}
        },
    }
    return Plan(
        name=name_of(drill_id, container),
        body=body,
        volumes=tuple(volumes),
        left_out=(*left_out, *_told(container, definition.host_config)),
    )


def _bound(source: str, mount: MountPoint) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": source,
        "Target": mount.destination,
        "ReadOnly": not mount.writable,
    }


def _fresh(drill_id: UUID, container: str, number: int, destination: str) -> FreshVolume:
    return FreshVolume(name=f"{name_of(drill_id, container)}-{number}", destination=destination)


def _host(told: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: told[key] for key in HOST_CONFIG if told.get(key)}
    kept |= {"Ulimits": ulimits_of(told)} if "Ulimits" in kept else {}
    security = [each for each in told.get("SecurityOpt") or () if _is_harmless(str(each))]
    return {**kept, "SecurityOpt": security} if security else kept


def _is_harmless(option: str) -> bool:
    return option.startswith(HARMLESS_SECURITY) and not option.endswith("false")


def _aliases(definition: Definition, container: str, service: str) -> list[str]:
    old = (alias for each in definition.networks.values() for alias in each.aliases or ())
    return list(dict.fromkeys(each for each in (*old, service, container) if each))


def _told(container: str, host: Mapping[str, Any]) -> list[str]:
    words = [word for key, word in TOLD.items() if host.get(key)]
    for key, word in SHARED.items():
        if str(host.get(key) or "").partition(":")[0] in ("host", "container"):
            words.append(f"the {word} of another")
    if any(not _is_harmless(str(each)) for each in host.get("SecurityOpt") or ()):
        words.append("security options")
    return [f"{container}: {word}: not in a drill." for word in words]
