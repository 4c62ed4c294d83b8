"""Which snapshots a policy keeps, and why.  Pure; the same as restic's own ``forget`` decides.

The rules are restic's ``ApplyPolicy`` (internal/data/snapshot_policy.go, 0.16 and later):
snapshots newest first; each rule keeps the newest of each of its periods until its
slots are used up; and the oldest snapshot stays while a rule has slots left.  One rule is
our own, for restic does not know what could not be read: the newest complete one stays.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from holdfast.events.views import KeepRules

LAST_COMPLETE = "last complete snapshot"


class SnapshotRef(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot in a repository."""

    id: str
    time: datetime
    """Aware; periods are cut in its own zone unless the plan is given one."""
    is_complete: bool = True
    """False: some files could not be read."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot that stays, and restic's words for why."""

    id: str
    reasons: tuple[str, ...]


class RetentionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What stays and what goes, newest first."""

    keep: tuple[Kept, ...]
    forget: tuple[str, ...]


class Rule(NamedTuple):
    """So many snapshots, at most one a period."""

    slots: int
    period: Callable[[datetime, int], object]
    reason: str


def rules_of(keep: KeepRules) -> tuple[Rule, ...]:
    """The rules that a policy has, in restic's order."""
    rules = (
        # Every snapshot is a period of its own: the last N.
        Rule(keep.keep_last, lambda _, number: number, "last snapshot"),
        Rule(keep.keep_hourly, lambda t, _: (t.date(), t.hour), "hourly snapshot"),
        Rule(keep.keep_daily, lambda t, _: t.date(), "daily snapshot"),
        Rule(keep.keep_weekly, lambda t, _: t.isocalendar()[:2], "weekly snapshot"),
        Rule(keep.keep_monthly, lambda t, _: (t.year, t.month), "monthly snapshot"),
        Rule(keep.keep_yearly, lambda t, _: t.year, "yearly snapshot"),
    )
    return tuple(rule for rule in rules if rule.slots > 0)


def plan_retention(
    snapshots: Iterable[SnapshotRef], keep: KeepRules, zone: ZoneInfo | None = None
) -> RetentionPlan:
    """Split *snapshots* into those that *keep* keeps, with reasons, and the rest.

    A period without a snapshot uses up no slot.  Unlike restic, which refuses to
    run, empty rules keep everything; and the newest complete one stays in any case, so that
    partial ones, however many, never leave an app without one whole backup.
    """
    newest_first = sorted(snapshots, key=lambda each: (each.time, each.id), reverse=True)
    rules = rules_of(keep)
    if not rules:
        return RetentionPlan(
            keep=tuple(Kept(id=each.id, reasons=("no rules",)) for each in newest_first),
            forget=(),
        )
    reasons: dict[str, list[str]] = {each.id: [] for each in newest_first}
    for rule in rules:
        for snapshot, reason in _kept_by(rule, newest_first, zone):
            reasons[snapshot.id].append(reason)
    complete = next((each for each in newest_first if each.is_complete), None)
    if complete is not None and not reasons[complete.id]:
        reasons[complete.id].append(LAST_COMPLETE)
    return RetentionPlan(
        keep=tuple(
            Kept(id=each.id, reasons=tuple(reasons[each.id]))
            for each in newest_first
            if reasons[each.id]
        ),
        forget=tuple(each.id for each in newest_first if not reasons[each.id]),
    )


def _kept_by(
    rule: Rule, newest_first: list[SnapshotRef], zone: ZoneInfo | None
) -> Iterable[tuple[SnapshotRef, str]]:
    left, last = rule.slots, object()
    for number, snapshot in enumerate(newest_first):
        if left == 0:
            return
        local = snapshot.time.astimezone(zone) if zone else snapshot.time
        period = rule.period(local, number)
        is_oldest = number == len(newest_first) - 1
        if period != last or is_oldest:
            yield snapshot, rule.reason if period != last else f"oldest {rule.reason}"
            last = period
            left -= 1
