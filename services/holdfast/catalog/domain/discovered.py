"""What becomes of an app that was found: its name, its paths, its protection."""

from collections.abc import Collection, Iterable

import msgspec

from holdfast.events.consistency import Consistency, Quiet
from holdfast.events.discovery import FoundApp
from holdfast.events.views import AppView, ConfigurationView, PolicyView
from holdfast.restic.patterns import exact_pattern

RUNNING = "running"


def free_name(name: str, device_name: str, taken: Collection[str]) -> str:
    """*name*, with the device's and a number behind it where others have it already."""
    if name not in taken:
        return name
    named, number = f"{name} ({device_name})", 2
    while named in taken:
        named, number = f"{name} ({device_name}) {number}", number + 1
    return named


def policy_for(found: FoundApp, policies: Iterable[PolicyView]) -> PolicyView:
    """The one that its label names, else the default: a wrong label must not leave it without."""
    by_name = {each.name.casefold(): each for each in policies}
    default = next(each for each in by_name.values() if each.is_default)
    return by_name.get(found.policy.casefold(), default)


def is_wanted(found: FoundApp) -> bool:
    """Whether it is to be backed up."""
    return not found.is_switched_off and bool(found.paths())


def paths_to_read(app: AppView, configuration: ConfigurationView) -> tuple[str, ...]:
    """What a backup of it by that configuration reads."""
    if configuration.include_paths:
        return configuration.include_paths
    found = app.found
    if found is None:
        return app.paths
    parts = (
        found.data_paths() if configuration.backup_volumes else (),
        found.compose_files if configuration.backup_compose else (),
        found.env_files if configuration.backup_env else (),
    )
    return tuple(dict.fromkeys(path for part in parts for path in part))


CACHES = ".cache"
"""Directories of this name are made to be lost."""


def excludes_of(app: AppView, configuration: ConfigurationView) -> tuple[str, ...]:
    """What of it a backup leaves out, as restic takes it.

    Of an app that was found: a pattern without a slash counts at any depth.  One with a slash is
    relative to each volume and directory, or to the volume that it names (``db:tmp/*``), or it
    begins with a path that is read.  Caches are left out unasked.
    """
    found = app.found
    if found is None:
        return configuration.exclude_paths
    roots = found.data_paths()
    volumes = {each.name: each.path for each in found.data if each.name and each.path in roots}
    excludes: list[str] = []
    for pattern in configuration.exclude_paths:
        name, colon, rest = pattern.partition(":")
        if colon and name in volumes:
            excludes.append(_below(volumes[name], rest))
        elif "/" not in pattern.rstrip("/") or _is_below(
            pattern, (*roots, *configuration.include_paths)
        ):
            excludes.append(pattern)
        else:
            excludes += [_below(root, pattern) for root in roots]
    caches = [_below(root, f"**/{CACHES}") for root in roots]
    return tuple(dict.fromkeys((*excludes, *caches)))


def _below(root: str, pattern: str) -> str:
    """*pattern* within *root*; nothing means all of it."""
    return f"{exact_pattern(root)}/{pattern.lstrip('/')}".rstrip("/")


def _is_below(path: str, roots: Iterable[str]) -> bool:
    return any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)


def environment_of(app: AppView, configuration: ConfigurationView) -> tuple[str, ...]:
    """The containers of which a backup of it keeps how they were made, environment and all."""
    if app.found is None or not configuration.backup_env:
        return ()
    return tuple(each.container for each in app.found.services)


def consistency_of(app: AppView, configuration: ConfigurationView) -> Consistency:
    """What is done around a backup of it by that configuration.

    Where no containers are named, an app that was found has its own: its databases are dumped
    as they run, or all of it is brought to rest, in the order in which it is started.
    """
    wanted = configuration.consistency
    if app.found is None or wanted.containers:
        return wanted
    services = app.found.services
    if wanted.quiet is Quiet.RUN:
        services = tuple(
            each
            for each in services
            if wanted.dumps and each.is_database and each.status == RUNNING
        )
    return msgspec.structs.replace(wanted, containers=tuple(each.container for each in services))
