"""What a policy may say."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from holdfast.catalog.domain.policy import (
    Terms,
    changed,
    checked_keep,
    checked_schedule,
    checked_timezone,
    restarts_schedule,
)
from holdfast.events.queries import UpdatePolicy
from holdfast.events.views import KeepRules
from holdfast.kernel.errors import InvalidRequestError
from holdfast.kernel.ids import new_id

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TERMS = Terms(
    name="Nightly",
    description="",
    schedule="0 2 * * *",
    timezone="Europe/Berlin",
    enabled=True,
    is_default=False,
    keep=KeepRules(keep_daily=7),
)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("0 2 * * *", "0 2 * * *"),
        ("  0   2 * *  MON ", "0 2 * * MON"),
        ("*/15 0-6 1,15 * 1#2", "*/15 0-6 1,15 * 1#2"),
        ("0 0 29 2 *", "0 0 29 2 *"),
        ("@Daily", "@daily"),
        ("@hourly", "@hourly"),
        ("@weekly", "@weekly"),
        ("@monthly", "@monthly"),
        ("@yearly", "@yearly"),
    ],
)
def test_a_schedule_is_five_fields_or_a_nickname(given: str, kept: str) -> None:
    assert checked_schedule(given) == kept


@pytest.mark.parametrize(
    "given",
    ["", "daily", "@reboot", "0 2 * *", "0 0 2 * * *", "61 * * * *", "0 0 31 2 *", "5-1 * * * *"],
)
def test_a_schedule_that_cannot_be_read_or_never_comes_due_is_refused(given: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"^schedule: ") as refusal:
        checked_schedule(given)

    assert refusal.value.hint


def test_an_empty_time_zone_is_the_instance_s_own() -> None:
    assert checked_timezone("", "Europe/Paris") == "Europe/Paris"
    assert checked_timezone("America/New_York", "Europe/Paris") == "America/New_York"


@pytest.mark.parametrize("given", ["Berlin", "America", "../etc/passwd", "/etc/localtime", "a\0b"])
def test_an_unknown_time_zone_is_refused(given: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"^timezone: "):
        checked_timezone(given, "UTC")


@pytest.mark.parametrize(
    "keep", [KeepRules(keep_daily=-1), KeepRules(keep_yearly=100_001)], ids=["below", "above"]
)
def test_a_keep_rule_out_of_range_is_named(keep: KeepRules) -> None:
    with pytest.raises(InvalidRequestError, match=r"^keep_(daily|yearly) is "):
        checked_keep(keep)


def test_an_update_changes_what_is_set_and_leaves_the_rest() -> None:
    query = UpdatePolicy(policy_id=new_id(), name="Hourly", keep_hourly=24, keep_daily=0)

    terms = changed(TERMS, query)

    assert terms == replace(TERMS, name="Hourly", keep=KeepRules(keep_hourly=24))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"name": "Other", "keep": KeepRules()}, False),
        ({"schedule": "0 3 * * *"}, True),
        ({"timezone": "UTC"}, True),
        ({"enabled": False}, False),
    ],
)
def test_only_a_different_schedule_counts_due_times_anew(
    fields: dict[str, object], expected: bool
) -> None:
    assert restarts_schedule(TERMS, replace(TERMS, **fields)) is expected


def test_a_policy_that_is_switched_on_does_not_make_up_for_the_time_it_was_off() -> None:
    off = replace(TERMS, enabled=False)

    assert restarts_schedule(off, TERMS)
