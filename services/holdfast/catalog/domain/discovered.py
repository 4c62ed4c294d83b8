"""What becomes of an app that was found: its name, its paths, its protection."""

from collections.abc import Collection, Iterable

import msgspec

from holdfast.events.consistency import Consistency, Quiet
from holdfast.events.discovery import FoundApp
from holdfast.events.views import AppView, ConfigurationView, PolicyView

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
