"""What becomes of due times: one verdict each, and at most one start."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holdfast.catalog.domain.ledger import ON_TIME, OUTSIDE, OVER, all_skipped, settle
from holdfast.events.due import BackupDue
from holdfast.events.schedule import CatchUp, DueOutcome
from holdfast.kernel.ids import derived_id
from holdfast.schedule import rules_of

PHOTOS = derived_id("photos")
TWO = datetime(2026, 3, 4, 2, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NIGHT = {"window_start": "01:00", "window_end": "05:00"}


def due(*times: datetime, said: datetime | None = None, more: bool = False) -> BackupDue:
    return BackupDue(
        event_id=derived_id(times[-1]),
        occurred_at=said or times[-1],
        configuration_id=PHOTOS,
        scheduled_for=times[-1],
        coalesced=times[:-1],
        more=more,
    )


def told(
    event: BackupDue,
    *,
    catch_up: CatchUp = CatchUp.RUN_ONCE,
    now: datetime | None = None,
    **of: Any,
) -> tuple[str, datetime | None]:
    """By letters what became of each (x is skipped, s starts), and the one that starts."""
    settled = settle(
        event, rules_of(PHOTOS, "0 * * * *", "UTC", **of), catch_up, now or event.occurred_at
    )
    letters = {
        each.scheduled_for: {"skipped": "x"}.get(each.outcome.value, each.outcome.value[0])
        for each in settled.verdicts
    }
    if settled.start is not None:
        assert settled.start not in letters
        letters[settled.start] = "s"
    times = (*event.coalesced, event.scheduled_for)
    assert sorted(letters) == sorted(times)
    return "".join(letters[each] for each in times), settled.start


@pytest.mark.parametrize(
    ("event", "run_once", "skip"),
    [
        (due(TWO), "s", "s"),
        (due(TWO, said=TWO + ON_TIME), "s", "s"),
        (due(TWO, said=TWO + ON_TIME + HOUR), "s", "m"),
        (due(TWO - DAY, TWO, said=TWO + HOUR), "cs", "mm"),
        (due(TWO - DAY, TWO), "cs", "ms"),
        (due(TWO - DAY, TWO, more=True), "cc", "mm"),
    ],
)
def test_catching_up(event: BackupDue, run_once: str, skip: str) -> None:
    assert told(event)[0] == run_once
    assert told(event, catch_up=CatchUp.SKIP)[0] == skip


def test_outside_the_window_it_is_skipped_and_the_newest_inside_starts() -> None:
    times = (TWO - 2 * HOUR, TWO - HOUR, TWO, TWO + HOUR)

    assert told(due(TWO + 5 * HOUR), **NIGHT) == ("x", None)
    assert told(due(*times), **NIGHT) == ("xccs", times[-1])
    late = due(*times, TWO + 4 * HOUR, said=TWO + DAY)
    assert told(late, **NIGHT) == ("xccsx", times[-1])


def test_when_the_window_is_over_nothing_starts_and_nothing_is_coalesced_into_it() -> None:
    late = due(TWO - HOUR, TWO, said=TWO + 8 * HOUR)

    assert told(late, **NIGHT) == ("mm", None)
    assert told(due(TWO), now=TWO + 3 * HOUR, **NIGHT) == ("m", None)
    settled = settle(late, rules_of(PHOTOS, "@hourly", "UTC", **NIGHT), CatchUp.RUN_ONCE, TWO + DAY)
    assert settled.start == TWO  # the next night has begun
    over = settle(
        late, rules_of(PHOTOS, "@hourly", "UTC", **NIGHT), CatchUp.RUN_ONCE, TWO + 8 * HOUR
    )
    assert {each.reason for each in over.verdicts} == {OVER}


def test_jitter_is_no_delay() -> None:
    for jitter in (0, 7200):
        rules = rules_of(PHOTOS, "0 * * * *", "UTC", jitter_seconds=jitter)
        said = rules.starts_at(TWO) + ON_TIME
        assert told(due(TWO, said=said), catch_up=CatchUp.SKIP, jitter_seconds=jitter)[0] == "s"


def test_reasons_are_told() -> None:
    outside = settle(
        due(TWO + 5 * HOUR), rules_of(PHOTOS, "@hourly", "UTC", **NIGHT), CatchUp.SKIP, TWO
    )
    off = all_skipped(due(TWO - DAY, TWO), "switched off")

    assert [each.reason for each in outside.verdicts] == [OUTSIDE]
    assert [(each.outcome, each.reason) for each in off.verdicts] == [
        (DueOutcome.SKIPPED, "switched off")
    ] * 2
