"""Backrest's ``config.json``: repositories and plans."""

from collections.abc import Mapping
from typing import Any

from holdfast.cli.importers.base import Found, Gatherer, Plan, count, listed, mapping
from holdfast.events.views import KeepRules

REPO = {"id", "guid", "uri", "password", "env", "prunePolicy", "autoUnlock", "autoInitialize"}
PLAN = {"id", "repo", "disabled", "paths", "excludes", "cron", "schedule", "retention"}
OLD_RETENTION = {
    "keepLastN": "keep_last", "keepHourly": "keep_hourly", "keepDaily": "keep_daily",
    "keepWeekly": "keep_weekly", "keepMonthly": "keep_monthly", "keepYearly": "keep_yearly",
}  # fmt: skip


def gather(config: Mapping[str, Any], into: Gatherer) -> Found:
    """Everything in *config* that has a place here."""
    ids = {}
    for repo in map(mapping, config.get("repos", ())):
        name = str(repo.get("id", ""))
        environment = dict(each.partition("=")[::2] for each in listed(repo.get("env")))
        password = str(repo.get("password") or environment.get("RESTIC_PASSWORD") or "")
        if not password and (file := environment.get("RESTIC_PASSWORD_FILE")):
            password = into.secret_file(file)
        prune = _cron(mapping(mapping(repo.get("prunePolicy")).get("schedule")), into, name)
        ids[name] = into.repository(name, str(repo.get("uri", "")), password, environment, prune)
        into.unmapped(f"repository {name!r}", repo, REPO)
    for plan in map(mapping, config.get("plans", ())):
        _plan(plan, ids, into)
    into.unmapped("the file", config, {"modno", "version", "instance", "repos", "plans"})
    return into.found()


def _plan(plan: Mapping[str, Any], ids: Mapping[str, Any], into: Gatherer) -> None:
    name = str(plan.get("id", ""))
    schedule = mapping(plan.get("schedule"))
    cron = str(plan["cron"]) if plan.get("cron") else _cron(schedule, into, name)
    destination_id = ids.get(str(plan.get("repo", "")))
    into.plan(
        Plan(
            name=name,
            paths=into.absolute(listed(plan.get("paths")), repr(name)),
            destination_ids=(destination_id,) if destination_id else (),
            schedule=cron,
            keep=_keep(mapping(plan.get("retention")), into, name),
            excludes=listed(plan.get("excludes")),
            enabled=not plan.get("disabled"),
        )
    )
    into.unmapped(f"plan {name!r}", plan, PLAN)


def _cron(schedule: Mapping[str, Any], into: Gatherer, name: str) -> str | None:
    """Its cron expression, or the nearest one to an interval."""
    if not schedule or schedule.get("disabled"):
        return None
    if schedule.get("clock") == "CLOCK_UTC":
        into.note(f"{name!r}: its schedule is in UTC; set the policy's time zone")
    if cron := schedule.get("cron"):
        return str(cron)
    hours = count(schedule.get("maxFrequencyHours", 0))
    days = count(schedule.get("maxFrequencyDays", 0))
    if hours == 1:
        return "0 * * * *"
    if 1 < hours < 24:
        nearest = max(each for each in (1, 2, 3, 4, 6, 8, 12) if each <= hours)
        if nearest != hours:
            into.note(f"{name!r}: every {hours} hours became every {nearest}")
        return f"0 */{nearest} * * *"
    if days == 7:
        return "0 2 * * 0"
    if days > 1 or hours > 24:
        into.note(f"{name!r}: an interval of days became every day at 02:00")
    return "0 2 * * *" if days or hours else None


def _keep(retention: Mapping[str, Any], into: Gatherer, name: str) -> KeepRules:
    if "policyTimeBucketed" in retention:
        buckets = mapping(retention["policyTimeBucketed"])
        names = ("hourly", "daily", "weekly", "monthly", "yearly")
        rules = {f"keep_{each}": count(buckets.get(each, 0)) for each in names}
        return KeepRules(**rules, keep_last=count(buckets.get("keepLastN", 0)))
    if "policyKeepLastN" in retention:
        return KeepRules(keep_last=count(retention["policyKeepLastN"]))
    into.unmapped(
        f"plan {name!r}: retention", retention, {*OLD_RETENTION, "policyKeepAll", "maxUnusedLimit"}
    )
    return KeepRules(
        **{ours: count(retention.get(theirs, 0)) for theirs, ours in OLD_RETENTION.items()}
    )
