"""Whether a container is still what it was at the backup.  Pure.

An app that was updated since is brought back to what it was then, not only its files: a newer
version would change them again, or not understand them.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from holdfast.executor.apps.definitions import Definition
from holdfast.executor.consistency.environment import OWN_NETWORKS

COMPOSE = ("com.docker.compose.", "io.podman.compose.")
"""Labels by which compose knows its own: they follow from what else is compared."""

ELSEWHERE = frozenset(
    (
        # Compared by themselves.
        *("Binds", "Mounts", "PortBindings", "NetworkMode"),
        # Of the one moment when it was made.
        *("ConsoleSize", "ContainerIDFile", "Annotations"),
    )
)
"""Settings that are not compared as they are."""

OWN_NAME = re.compile(r"HOSTNAME=[0-9a-f]{12}")
"""Podman gives a container its own id so."""

RUNS = ("Cmd", "Entrypoint", "User", "WorkingDir", "StopSignal", "Healthcheck")


def _image(one: Definition) -> object:
    return one.image_id.removeprefix("sha256:")


def _environment(one: Definition) -> object:
    told = (str(each) for each in one.config.get("Env") or ())
    return frozenset(each for each in told if not OWN_NAME.fullmatch(each))


def _command(one: Definition) -> object:
    return [one.config.get(each) or None for each in RUNS]


def _labels(one: Definition) -> object:
    labels = one.config.get("Labels") or {}
    return {name: value for name, value in labels.items() if not name.startswith(COMPOSE)}


def _ports(one: Definition) -> object:
    bindings = one.host_config.get("PortBindings") or {}
    return {
        port: sorted((each.get("HostIp", ""), each.get("HostPort", "")) for each in many)
        for port, many in bindings.items()
        if many
    }


def _mounts(one: Definition) -> object:
    return {
        (each.type, each.name or each.source, each.destination, each.writable)
        for each in one.mounts or ()
    }


def _networks(one: Definition) -> object:
    fixed = {
        name: (each.i_p_a_m_config if each.is_fixed else None)
        for name, each in one.networks.items()
    }
    mode = str(one.host_config.get("NetworkMode") or "default")
    own = mode if mode in OWN_NETWORKS else ""
    # Docker's two words for the same.
    return one.shares_with, fixed, "bridge" if own == "default" else own


ASPECTS: Mapping[str, Callable[[Definition], object]] = {
    "image": _image,
    "environment": _environment,
    "command": _command,
    "labels": _labels,
    "ports": _ports,
    "mounts": _mounts,
    "networks": _networks,
}


def changes(kept: Definition, now: Definition) -> tuple[str, ...]:
    """What differs, a few words each and no secret value; none: it is the same."""
    if kept.id == now.id:
        return ()
    found = [word for word, of in ASPECTS.items() if of(kept) != of(now)]
    if "image" in found and kept.image != now.image:
        found[0] = f"image {now.image}, and then {kept.image}"
    if _settings(kept, now) != _settings(now, kept):
        found.append("settings")
    return tuple(found)


def _settings(one: Definition, other: Definition) -> dict[str, Any]:
    """What only one tells says nothing: another version of the engine tells more."""
    both = (one.host_config.keys() & other.host_config.keys()) - ELSEWHERE
    return {name: one.host_config[name] or None for name in both}


def changed(
    kept: Mapping[str, Definition], now: Mapping[str, Definition], *, made: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """The containers that are there and differ, and what does.

    *made*: those that are not there, and are made.  Whoever is in the network of one that is
    made again cannot stay: it knows the one before.
    """
    found = {
        name: words
        for name, one in now.items()
        if name in kept and (words := changes(kept[name], one))
    }
    while True:
        gone = {*made, *found}
        orphans = {
            name: ("the network of another container",)
            for name, one in now.items()
            if name in kept and name not in found and _shared(one, kept[name]) & gone
        }
        if not orphans:
            return found
        found |= orphans


def _shared(now: Definition, kept: Definition) -> set[str]:
    """The containers whose network it is in; an id that says nothing any more was the kept one."""
    return {now.shares_with, kept.shares_with} if now.shares_with else set()
