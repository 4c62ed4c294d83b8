"""Which snapshots go: the rules one by one, and what must hold of any plan."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from holdfast.events.views import KeepRules
from holdfast.retention.domain import SnapshotRef, plan_retention

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def daily(*days_ago: int) -> list[SnapshotRef]:
    return [SnapshotRef(id=f"day-{n}", time=NOON - timedelta(days=n)) for n in days_ago]


def test_rules_that_keep_nothing_keep_everything() -> None:
    assert plan_retention(daily(0, 1, 2), KeepRules()).forget == ()


def test_the_last_n_are_kept() -> None:
    assert plan_retention(daily(3, 0, 2, 1), KeepRules(keep_last=2)).forget == ("day-2", "day-3")


def test_the_newest_of_a_day_stands_for_it() -> None:
    twice = [*daily(0), SnapshotRef(id="morning", time=NOON - timedelta(hours=4)), *daily(1)]

    plan = plan_retention(twice, KeepRules(keep_daily=2))

    assert plan.forget == ("morning",)


def test_a_day_without_a_snapshot_uses_up_no_slot() -> None:
    assert plan_retention(daily(0, 1, 5, 6), KeepRules(keep_daily=3)).forget == ("day-6",)


def test_the_oldest_stays_while_a_rule_has_slots_left() -> None:
    # All in one month: a monthly rule with two slots keeps the newest and the oldest.
    plan = plan_retention(daily(0, 1, 2), KeepRules(keep_monthly=2))

    assert plan.forget == ("day-1",)
    assert plan.keep[-1].reasons == ("oldest monthly snapshot",)


def test_each_rule_that_keeps_a_snapshot_is_a_reason() -> None:
    plan = plan_retention(daily(0), KeepRules(keep_last=1, keep_daily=7, keep_yearly=1))

    assert plan.keep[0].reasons == ("last snapshot", "daily snapshot", "yearly snapshot")


def test_days_are_cut_in_the_policy_s_zone() -> None:
    late = SnapshotRef(id="late", time=datetime(2026, 3, 9, 23, 30, tzinfo=UTC))
    early = SnapshotRef(id="early", time=datetime(2026, 3, 9, 12, 0, tzinfo=UTC))
    old = SnapshotRef(id="old", time=datetime(2026, 3, 1, 12, 0, tzinfo=UTC))

    in_utc = plan_retention([late, early, old], KeepRules(keep_daily=2))
    in_berlin = plan_retention(
        [late, early, old], KeepRules(keep_daily=2), ZoneInfo("Europe/Berlin")
    )

    assert in_utc.forget == ("early",)
    assert in_berlin.forget == ("old",)


TIMES = st.lists(
    st.integers(min_value=0, max_value=4 * 365 * 24).map(
        lambda hours: NOON - timedelta(hours=hours)
    ),
    min_size=1,
    max_size=60,
)
RULES = st.builds(
    KeepRules,
    keep_last=st.integers(0, 5),
    keep_hourly=st.integers(0, 30),
    keep_daily=st.integers(0, 14),
    keep_weekly=st.integers(0, 8),
    keep_monthly=st.integers(0, 12),
    keep_yearly=st.integers(0, 4),
)


@given(TIMES, RULES)
def test_the_newest_snapshot_is_never_forgotten(times: list[datetime], rules: KeepRules) -> None:
    snapshots = [SnapshotRef(id=str(n), time=time) for n, time in enumerate(times)]
    newest = max(snapshots, key=lambda each: (each.time, each.id))

    plan = plan_retention(snapshots, rules)

    assert newest.id in {each.id for each in plan.keep}
    assert {each.id for each in plan.keep}.isdisjoint(plan.forget)
    assert len(plan.keep) + len(plan.forget) == len(snapshots)


@given(TIMES, RULES)
def test_a_plan_that_was_carried_out_forgets_nothing_more(
    times: list[datetime], rules: KeepRules
) -> None:
    snapshots = [SnapshotRef(id=str(n), time=time) for n, time in enumerate(times)]
    kept = {each.id for each in plan_retention(snapshots, rules).keep}

    again = plan_retention([each for each in snapshots if each.id in kept], rules)

    # The oldest of all may have been kept for free slots that are no longer free: never more.
    assert len(again.forget) <= 1


@pytest.mark.parametrize("rule", KeepRules.__struct_fields__)
def test_a_rule_keeps_no_more_than_its_count(rule: str) -> None:
    hours = [SnapshotRef(id=str(n), time=NOON - timedelta(hours=7 * n)) for n in range(3000)]

    assert len(plan_retention(hours, KeepRules(**{rule: 3})).keep) == 3


def test_the_newest_complete_one_stays_however_many_partial_ones_follow() -> None:
    partial = [replace(each, is_complete=False) for each in daily(*range(7))]

    plan = plan_retention([*partial, *daily(7, 8, 9)], KeepRules(keep_last=2, keep_daily=3))

    assert plan.forget == ("day-3", "day-4", "day-5", "day-6", "day-8", "day-9")
    assert plan.keep[-1].reasons == ("last complete snapshot",)


def test_a_complete_one_that_a_rule_keeps_needs_no_reason_of_its_own() -> None:
    plan = plan_retention(daily(0, 1), KeepRules(keep_last=1))

    assert [each.reasons for each in plan.keep] == [("last snapshot",)]
