"""What becomes of an app that was found: its name, its paths, its protection."""

from collections.abc import Collection, Iterable

from holdfast.events.discovery import FoundApp
from holdfast.events.views import AppView, ConfigurationView, PolicyView


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
