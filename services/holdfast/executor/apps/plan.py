"""What of an app is brought back, where it goes, and what stands in the way.  Pure."""

import posixpath
from collections.abc import Mapping, Sequence

import msgspec

from holdfast.events.discovery import DataKind, FoundApp
from holdfast.executor.apps.hand import Look
from holdfast.restic.commands.ls import Node

SPARE_BYTES = 64 * 1024 * 1024
"""What stays free on each file system."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A volume, a directory or a file of an app."""

    source: str
    """Its path in the snapshot."""
    path: str
    """Where it goes on the device; empty: into a volume that is yet to be made."""
    volume: str = ""
    """The engine's own volume of that name."""
    is_folder: bool = True
    owner: str = ""
    """``uid:gid`` in the snapshot."""
    mode: str = ""
    """Octal."""


def sources_of(found: FoundApp) -> tuple[tuple[str, str], ...]:
    """Path and, of the engine's own volumes, name.  What lies below another is a part of it."""
    volumes = {
        each.path: each.name
        for each in found.data
        # A volume that is but another name for a directory has that directory's path.
        if each.kind is DataKind.VOLUME and posixpath.basename(each.path) == "_data"
    }
    paths = found.paths()
    return tuple(
        (path, volumes.get(path, ""))
        for path in paths
        if not any(path != other and path.startswith(other.rstrip("/") + "/") for other in paths)
    )


def places_of(
    found: FoundApp, nodes: Mapping[str, Node], volumes: Mapping[str, str]
) -> tuple[Place, ...]:
    """All that the snapshot has of it.  *volumes*: where each of the device's volumes is."""
    return tuple(
        Place(
            source=path,
            path=volumes.get(name, "") if name else path,
            volume=name,
            is_folder=nodes[path].type == "dir",
            owner=f"{nodes[path].uid}:{nodes[path].gid}",
            mode=f"{nodes[path].mode & 0o7777:o}",
        )
        for path, name in sources_of(found)
        if path in nodes
    )


def file_problems(
    places: Sequence[Place], looks: Sequence[Look], total_bytes: int, *, may_replace: bool
) -> list[str]:
    """What about the files is in the way.  *looks*: at the path of each place."""
    problems = []
    for place, look in zip(places, looks, strict=True):
        if look.own == "holds":
            problems.append(f"{place.path}: other file systems are mounted below it.")
        if look.kind == "link" and place.is_folder:
            problems.append(f"{place.path} is a symbolic link now, and was a directory.")
        if look.kind in ("folder", "empty") and not place.is_folder:
            problems.append(f"{place.path} is a directory now, and was a file.")
        if look.kind == "file" and place.is_folder:
            problems.append(f"{place.path} is a file now, and was a directory.")
        if look.kind in ("folder", "file") and not may_replace:
            problems.append(f"{place.path} is there already on that device, and not empty.")
    # How it divides between file systems is not known: each must have room for all of it.
    for name, free in {look.file_system: look.free_bytes for look in looks}.items():
        if free < total_bytes + SPARE_BYTES:
            problems.append(
                f"{name} has {free // 2**20} MiB free, and the snapshot needs "
                f"{(total_bytes + SPARE_BYTES) // 2**20}: what is there now stays beside it."
            )
    return problems
