"""What becomes of due times: one verdict each, and at most one start."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holdfast.catalog.domain.ledger import ON_TIME, OUTSIDE, OVER, all_skipped, settle
from holdfast.events.due import DueTimes
from holdfast.events.schedule import CatchUp, DueOutcome
from holdfast.kernel.ids import derived_id
from holdfast.schedule import rules_of

PHOTOS = derived_id("photos")
TWO = datetime(2026, 3, 4, 2, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NIGHT = {"window_start": "01:00", "window_end": "05:00"}


def due(*times: datetime, more: bool = False) -> DueTimes:
    return DueTimes(
        configuration_id=PHOTOS, scheduled_for=times[-1], coalesced=times[:-1], more=more
    )


def told(
    due: DueTimes,
    *,
    said: datetime | None = None,
    catch_up: CatchUp = CatchUp.RUN_ONCE,
    now: datetime | None = None,
    **of: Any,
) -> tuple[str, datetime | None]:
    """By letters what became of each (x is skipped, s starts), and the one that starts."""
    said = said or due.scheduled_for
    rules = rules_of(PHOTOS, "0 * * * *", "UTC", **of)
    settled = settle(due, said, rules, catch_up, now or said)
    letters = {
        each.scheduled_for: {"skipped": "x"}.get(each.outcome.value, each.outcome.value[0])
        for each in settled.verdicts
    }
    if settled.start is not None:
        assert settled.start not in letters
        letters[settled.start] = "s"
    times = (*due.coalesced, due.scheduled_for)
    assert sorted(letters) == sorted(times)
    return "".join(letters[each] for each in times), settled.start


@pytest.mark.parametrize(
    ("times", "said", "run_once", "skip"),
    [
        (due(TWO), TWO, "s", "s"),
        (due(TWO), TWO + ON_TIME, "s", "s"),
        (due(TWO), TWO + ON_TIME + HOUR, "s", "m"),
        (due(TWO - DAY, TWO), TWO + HOUR, "cs", "mm"),
        (due(TWO - DAY, TWO), TWO, "cs", "ms"),
        (due(TWO - DAY, TWO, more=True), TWO, "cc", "mm"),
    ],
)
def test_catching_up(times: DueTimes, said: datetime, run_once: str, skip: str) -> None:
    assert told(times, said=said)[0] == run_once
    assert told(times, said=said, catch_up=CatchUp.SKIP)[0] == skip


def test_outside_the_window_it_is_skipped_and_the_newest_inside_starts() -> None:
    times = (TWO - 2 * HOUR, TWO - HOUR, TWO, TWO + HOUR)

    assert told(due(TWO + 5 * HOUR), **NIGHT) == ("x", None)
    assert told(due(*times), **NIGHT) == ("xccs", times[-1])
    late = due(*times, TWO + 4 * HOUR)
    assert told(late, said=TWO + DAY, **NIGHT) == ("xccsx", times[-1])


def test_when_the_window_is_over_nothing_starts_and_nothing_is_coalesced_into_it() -> None:
    late, said = due(TWO - HOUR, TWO), TWO + 8 * HOUR
    rules = rules_of(PHOTOS, "@hourly", "UTC", **NIGHT)

    assert told(late, said=said, **NIGHT) == ("mm", None)
    assert told(due(TWO), now=TWO + 3 * HOUR, **NIGHT) == ("m", None)
    settled = settle(late, said, rules, CatchUp.RUN_ONCE, TWO + DAY)
    assert settled.start == TWO  # the next night has begun
    over = settle(late, said, rules, CatchUp.RUN_ONCE, said)
    assert {each.reason for each in over.verdicts} == {OVER}


def test_jitter_is_no_delay() -> None:
    for jitter in (0, 7200):
        rules = rules_of(PHOTOS, "0 * * * *", "UTC", jitter_seconds=jitter)
        said = rules.starts_at(TWO) + ON_TIME
        assert told(due(TWO), said=said, catch_up=CatchUp.SKIP, jitter_seconds=jitter)[0] == "s"


def test_reasons_are_told() -> None:
    at = TWO + 5 * HOUR
    rules = rules_of(PHOTOS, "@hourly", "UTC", **NIGHT)
    outside = settle(due(at), at, rules, CatchUp.SKIP, TWO)
    off = all_skipped(due(TWO - DAY, TWO), "switched off")

    assert [each.reason for each in outside.verdicts] == [OUTSIDE]
    assert [(each.outcome, each.reason) for each in off.verdicts] == [
        (DueOutcome.SKIPPED, "switched off")
    ] * 2
