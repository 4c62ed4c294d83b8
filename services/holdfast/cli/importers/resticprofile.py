"""resticprofile's ``profiles.yaml``, ``.toml`` or ``.json``: a profile with a source is a plan."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from holdfast.cli.importers.base import Found, Gatherer, Plan, keep_rules, listed, mapping

NO_PROFILES = {"version", "global", "groups", "includes", "schedules", "mixins"}
PROFILE = {
    "inherit", "description", "repository", "password-file", "env", "backup", "retention",
    "forget", "initialize", "force-inactive-lock", "lock", "snapshots", "no-cache", "verbose",
    "cleanup-cache", "cache-dir",
}  # fmt: skip
BACKUP = {"source", "exclude", "schedule", "tag", "verbose"}
SCHEDULE = {"at", "permission", "log"}
FORGET = {
    "after-backup", "before-backup", "prune", "compact", "host", "path", "tag", "schedule",
    "keep-last", "keep-hourly", "keep-daily", "keep-weekly", "keep-monthly", "keep-yearly",
}  # fmt: skip
WORDS = {
    "minutely": "* * * * *", "hourly": "0 * * * *", "daily": "0 0 * * *",
    "weekly": "0 0 * * 1", "monthly": "0 0 1 * *", "yearly": "0 0 1 1 *",
    "annually": "0 0 1 1 *", "quarterly": "0 0 1 1,4,7,10 *", "semiannually": "0 0 1 1,7 *",
}  # fmt: skip
DAYS = {
    name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))
}
_CALENDAR = re.compile(
    r"(?:(?P<days>[a-z.,]+)\s+)?(?:(?:\*-)?(?P<month>\*|[\d,]+)-(?P<day>\*|[\d,]+)\s*)?"
    r"(?:(?P<hour>\*|[\d,]+)?:(?P<minute>\*|[\d,]+)(?::0?0)?)?"
)


def gather(config: Mapping[str, Any], into: Gatherer) -> Found:
    """Everything in *config* that has a place here."""
    profiles = mapping(config.get("profiles")) or {
        name: each
        for name, each in config.items()
        if name not in NO_PROFILES and isinstance(each, dict)
    }
    repositories: dict[str, UUID | None] = {}
    for name in profiles:
        profile = _inherited(name, profiles, set())
        if mapping(profile.get("backup")).get("source"):
            _profile(name, profile, repositories, into)
        elif mapping(profile.get("backup")):
            into.note(f"profile {name!r}: its backup has no source, as one from standard input")
    into.unmapped("the file", config, {*profiles, "profiles", "version", "global", "schedules"})
    return into.found()


def _inherited(name: str, profiles: Mapping[str, Any], seen: set[str]) -> dict[str, Any]:
    """The profile on top of those that it inherits from; a circle ends where it closes."""
    own = mapping(profiles.get(name))
    parent = own.get("inherit")
    if not isinstance(parent, str) or parent in seen:
        return own
    return _on_top(_inherited(parent, profiles, {*seen, name}), own)


def _on_top(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _on_top(merged[key], value) if both else value
    return merged


def _profile(
    name: str,
    profile: Mapping[str, Any],
    repositories: dict[str, UUID | None],
    into: Gatherer,
) -> None:
    backup = mapping(profile.get("backup"))
    destination_id = _repository(name, profile, repositories, into)
    # The keep rules that a backup is followed by go before those of a forget by hand.
    forget = mapping(profile.get("retention")) or mapping(profile.get("forget"))
    into.plan(
        Plan(
            name=name,
            paths=into.absolute(listed(backup.get("source")), f"profile {name!r}"),
            destination_ids=(destination_id,) if destination_id else (),
            schedule=_schedule(backup.get("schedule"), name, into),
            keep=keep_rules(forget),
            excludes=listed(backup.get("exclude")),
        )
    )
    into.unmapped(f"profile {name!r}: backup", backup, BACKUP)
    into.unmapped(f"profile {name!r}: retention", forget, FORGET)
    into.unmapped(f"profile {name!r}", profile, PROFILE)


def _repository(
    name: str,
    profile: Mapping[str, Any],
    repositories: dict[str, UUID | None],
    into: Gatherer,
) -> UUID | None:
    """Profiles of one repository share the destination, which is named after the first."""
    environment = {key.upper(): str(each) for key, each in mapping(profile.get("env")).items()}
    url = str(profile.get("repository") or environment.get("RESTIC_REPOSITORY") or "")
    if not url or "{{" in url:
        into.note(f"profile {name!r}: its repository is not told, or by a template")
        return None
    if url not in repositories:
        password = environment.get("RESTIC_PASSWORD", "")
        file = profile.get("password-file") or environment.get("RESTIC_PASSWORD_FILE")
        if not password and file:
            password = into.secret_file(str(file))
        repositories[url] = into.repository(name, url, password, environment)
    return repositories[url]


def _schedule(value: object, name: str, into: Gatherer) -> str | None:
    """The first of its systemd calendar expressions, as cron."""
    if isinstance(value, dict):
        settings = mapping(value)
        into.unmapped(f"profile {name!r}: schedule", settings, SCHEDULE)
        value = settings.get("at")
    times = listed(value)
    if not times:
        return None
    if len(times) > 1:
        into.note(f"profile {name!r}: all of its schedules but the first")
    cron = as_cron(times[0])
    if cron is None:
        into.note(f"profile {name!r}: the schedule {times[0]!r}")
    return cron


def as_cron(calendar: str) -> str | None:
    """A systemd calendar expression as cron; None when it says what cron cannot."""
    text = calendar.strip().lower()
    if text in WORDS:
        return WORDS[text]
    # A year that is any year is no condition.
    found = _CALENDAR.fullmatch(text.removeprefix("*-") if text.count("-") > 1 else text)
    if found is None or not any(found.groups()):
        return None
    days = _days(found["days"]) if found["days"] else "*"
    if days is None:
        return None
    hour, minute = _numbers(found["hour"]), _numbers(found["minute"])
    if found["minute"] is None:
        hour, minute = "0", "0"
    return f"{minute} {hour} {_numbers(found['day'])} {_numbers(found['month'])} {days}"


def _days(text: str) -> str | None:
    parts = []
    for part in text.split(","):
        first, dots, last = part.partition("..")
        ends = [DAYS.get(each[:3]) for each in ((first, last) if dots else (first,))]
        if None in ends:
            return None
        parts.append("-".join(str(each) for each in ends))
    return ",".join(parts)


def _numbers(text: str | None) -> str:
    """Without leading zeros, which mean nothing in cron."""
    if text in (None, "", "*"):
        return "*"
    return ",".join(str(int(each)) for each in str(text).split(",") if each)
