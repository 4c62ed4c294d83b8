"""autorestic's ``.autorestic.yml``: backends and locations."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from holdfast.cli.importers.base import Found, Gatherer, Plan, keep_rules, listed, mapping

BACKEND = {"type", "path", "key", "env", "requireKey"}
LOCATION = {"from", "to", "cron", "options", "type", "forget"}
KEEP = {"keep-last", "keep-hourly", "keep-daily", "keep-weekly", "keep-monthly", "keep-yearly"}


def gather(config: Mapping[str, Any], into: Gatherer) -> Found:
    """Everything in *config* that has a place here."""
    ids = {}
    for name, backend in mapping(config.get("backends")).items():
        ids[name] = _backend(name, mapping(backend), into)
    everywhere = mapping(config.get("global"))
    for name, location in mapping(config.get("locations")).items():
        _location(name, mapping(location), everywhere, ids, into)
    into.unmapped("global", everywhere, {"forget"})
    into.unmapped("the file", config, {"version", "backends", "locations", "global", "extras"})
    return into.found()


def _backend(name: str, backend: Mapping[str, Any], into: Gatherer) -> UUID | None:
    kind, path = str(backend.get("type", "local")), str(backend.get("path", ""))
    environment = {key.upper(): str(each) for key, each in mapping(backend.get("env")).items()}
    into.unmapped(f"backend {name!r}", backend, BACKEND)
    password = str(backend.get("key") or environment.get("RESTIC_PASSWORD") or "")
    url = path if kind == "local" else f"{kind}:{path}"
    return into.repository(name, url, password, environment)


def _location(
    name: str,
    location: Mapping[str, Any],
    everywhere: Mapping[str, Any],
    ids: Mapping[str, UUID | None],
    into: Gatherer,
) -> None:
    if location.get("type", "local") != "local":
        into.note(f"location {name!r}: type {location['type']}")
        return
    options = mapping(location.get("options"))
    # What stands at the location goes before what stands for all.
    forget = {**mapping(everywhere.get("forget")), **mapping(options.get("forget"))}
    backup = {**mapping(everywhere.get("backup")), **mapping(options.get("backup"))}
    destinations = [ids.get(each) for each in listed(location.get("to"))]
    into.plan(
        Plan(
            name=name,
            paths=into.absolute(listed(location.get("from")), f"location {name!r}"),
            destination_ids=tuple(each for each in destinations if each is not None),
            schedule=str(location["cron"]) if location.get("cron") else None,
            keep=keep_rules(forget),
            excludes=listed(backup.get("exclude")),
        )
    )
    into.unmapped(f"location {name!r}: forget", forget, KEEP)
    into.unmapped(f"location {name!r}: backup", backup, {"exclude"})
    into.unmapped(f"location {name!r}: options", options, {"forget", "backup"})
    into.unmapped(f"location {name!r}", location, LOCATION)
