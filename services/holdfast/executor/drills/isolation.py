"""A container of an app as a drill brings it up: on restored data, and shut off from all else.

Only what is named here is taken over from the container that the app has: so that whatever an
engine can do one day, a drill's container can neither reach the app's own data, nor a device, nor
anybody on the network.  Pure.
"""

import posixpath
import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from holdfast.executor.apps.remaking import Definition
from holdfast.executor.discovery import DRILL, ENABLE

CONFIG_KEPT = (
    "Image",
    "Env",
    "Cmd",
    "Entrypoint",
    "WorkingDir",
    "User",
    "Healthcheck",
    "StopSignal",
    "StopTimeout",
    "Shell",
    "Tty",
    "OpenStdin",
)

HOST_KEPT = (
    "CapDrop",
    "CpuQuota",
    "CpuPeriod",
    "GroupAdd",
    "Init",
    "Memory",
    "NanoCpus",
    "PidsLimit",
    "ReadonlyRootfs",
    "ShmSize",
    "Tmpfs",
    "Ulimits",
)

HOST_TOLD = ("CapAdd", "Devices", "Privileged", "PidMode", "SecurityOpt", "Sysctls")
"""What an app may miss; of the rest nobody would."""

ID_LIKE = re.compile(r"[0-9a-f]{12}")
"""The engine's own alias for a container."""


class Isolated(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine is asked to make."""

    name: str
    body: dict[str, Any]
    sources: tuple[str, ...]
    """Directories and files that it is given."""
    left_out: tuple[str, ...]
    """What the app's own container has and this one has not, in words."""


def name_of(drill: UUID, container: str = "") -> str:
    """Of the network of a drill, or of its *container*."""
    # The last digits: the first ones are the time, the same for drills of one moment.
    network = f"holdfast-drill-{drill.hex[-8:]}"
    return f"{network}-{container}" if container else network


def labels_of(drill: UUID) -> dict[str, str]:
    """By which all of it is found again, and is left alone by discovery."""
    return {DRILL: str(drill), ENABLE: "false"}


def isolated(
    definition: Definition, service: str, drill: UUID, root: str, restored: Sequence[str]
) -> Isolated:
    """*definition* as it was at the backup; the snapshot's path ``/a`` is at *root*``/a``.

    *restored*: paths of the snapshot.
    """
    container = definition.name.lstrip("/")
    binds: list[dict[str, Any]] = []
    fresh: dict[str, dict[str, str]] = {}
    left_out: list[str] = []
    for mount in definition.mounts or ():
        source = posixpath.normpath(mount.source) if mount.source else ""
        if source and any(is_within(source, path) for path in restored):
            binds.append({"Type": "bind", "Source": root + source, "Target": mount.destination})
        elif mount.type == "volume":
            fresh[mount.destination] = {}
            left_out.append(f"{container}: {mount.destination} is empty, for it is not backed up")
        else:
            left_out.append(
                f"{container}: {mount.destination} ({source or mount.type}) is not there"
            )
    host = definition.host_config
    left_out += [f"{container}: without {each}" for each in HOST_TOLD if host.get(each)]
    if host.get("NetworkMode") == "host":
        left_out.append(f"{container}: without the device's own network")
    aliases = {service, container}
    for endpoint in definition.networks.values():
        aliases |= {each for each in endpoint.aliases or () if not ID_LIKE.fullmatch(each)}
    network = name_of(drill)
    body = {name: definition.config[name] for name in CONFIG_KEPT if name in definition.config}
    body |= {
        "Labels": labels_of(drill),
        "Volumes": fresh,
        "HostConfig": {name: host[name] for name in HOST_KEPT if host.get(name)}
        | {
            "NetworkMode": network,
            "Mounts": binds,
            "RestartPolicy": {"Name": "no"},
            "SecurityOpt": ["no-new-privileges"] if _is_hardened(host) else [],
        },
        "NetworkingConfig": {"EndpointsConfig": {network: {"Aliases": sorted(aliases)}}},
    }
    return Isolated(
        name=name_of(drill, container),
        body=body,
        sources=tuple(each["Source"] for each in binds),
        left_out=tuple(left_out),
    )


def network_of(drill: UUID) -> dict[str, Any]:
    """The one in which the containers find each other, and nobody else."""
    return {"Name": name_of(drill), "Internal": True, "Labels": labels_of(drill)}


def _is_hardened(host: dict[str, Any]) -> bool:
    told = (str(each) for each in host.get("SecurityOpt") or ())
    return any(each.startswith("no-new-privileges") and "false" not in each for each in told)


def is_within(path: str, root: str) -> bool:
    """Whether *path* is *root* or below it."""
    return path == root or path.startswith(root.rstrip("/") + "/")
