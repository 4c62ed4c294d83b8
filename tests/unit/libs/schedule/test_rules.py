"""Jitter and windows: stable, in order, and right on the nights when clocks change."""

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from holdfast.kernel.ids import derived_id
from holdfast.schedule import InvalidWindowError, Rules, Window, passed, rules_of, window_of
from holdfast.schedule.rules import share_of

BERLIN, SANTIAGO = "Europe/Berlin", "America/Santiago"
IDS = [derived_id("app", number) for number in range(100)]

# Window, zone, a moment with its offset, and whether it is inside.
INSIDE = [
    ("01:00", "05:00", BERLIN, "2026-06-01T00:59:59+02:00", False),
    ("01:00", "05:00", BERLIN, "2026-06-01T01:00+02:00", True),
    ("01:00", "05:00", BERLIN, "2026-06-01T04:59:59+02:00", True),
    ("01:00", "05:00", BERLIN, "2026-06-01T05:00+02:00", False),
    ("22:00", "05:00", BERLIN, "2026-06-01T23:00+02:00", True),
    ("22:00", "05:00", BERLIN, "2026-06-01T04:00+02:00", True),
    ("22:00", "05:00", BERLIN, "2026-06-01T12:00+02:00", False),
    ("00:00", "23:59", BERLIN, "2026-06-01T23:59+02:00", False),
    # The reading counts: 02:30 is in the window both times that it comes.
    ("02:15", "02:45", BERLIN, "2026-10-25T02:30+02:00", True),
    ("02:15", "02:45", BERLIN, "2026-10-25T02:30+01:00", True),
    ("02:15", "02:45", BERLIN, "2026-10-25T02:00+01:00", False),
    # A window that lies in the gap does not exist that night.
    ("02:15", "02:45", BERLIN, "2026-03-29T01:59+01:00", False),
    ("02:15", "02:45", BERLIN, "2026-03-29T03:00+02:00", False),
]  # fmt: skip

# Window, zone, a moment inside, and when that window ends.
ENDS = [
    ("01:00", "05:00", BERLIN, "2026-06-01T01:00+02:00", "2026-06-01T05:00+02:00"),
    ("22:00", "05:00", BERLIN, "2026-06-01T23:00+02:00", "2026-06-02T05:00+02:00"),
    ("22:00", "05:00", BERLIN, "2026-06-02T04:59+02:00", "2026-06-02T05:00+02:00"),
    # An hour shorter and an hour longer.
    ("01:00", "05:00", BERLIN, "2026-03-29T01:00+01:00", "2026-03-29T05:00+02:00"),
    ("01:00", "05:00", BERLIN, "2026-10-25T01:00+02:00", "2026-10-25T05:00+01:00"),
    # Its end is skipped: the end of the gap.
    ("01:00", "02:30", BERLIN, "2026-03-29T01:10+01:00", "2026-03-29T03:00+02:00"),
    # Its end comes twice: the first that is to come.
    ("01:00", "02:30", BERLIN, "2026-10-25T01:10+02:00", "2026-10-25T02:30+02:00"),
    ("01:00", "02:30", BERLIN, "2026-10-25T02:10+01:00", "2026-10-25T02:30+01:00"),
    # A midnight that does not exist.
    ("22:00", "00:00", SANTIAGO, "2026-09-05T23:00-04:00", "2026-09-06T01:00-03:00"),
]  # fmt: skip


def rules(id: UUID = IDS[0], schedule: str = "0 2 * * *", **fields: object) -> Rules:
    return rules_of(id, schedule, BERLIN, **fields)  # type: ignore[arg-type]  # fields of any kind


def window(start: str, end: str, zone: str = BERLIN) -> Window:
    made = window_of(start, end, zone)
    assert made is not None
    return made


@pytest.mark.parametrize(("start", "end", "zone", "at", "expected"), INSIDE)
def test_inside_is_what_the_clock_shows(
    start: str, end: str, zone: str, at: str, expected: bool
) -> None:
    assert window(start, end, zone).holds(datetime.fromisoformat(at)) is expected


@pytest.mark.parametrize(("start", "end", "zone", "at", "expected"), ENDS)
def test_the_end_of_a_window(start: str, end: str, zone: str, at: str, expected: str) -> None:
    found = window(start, end, zone).end_after(datetime.fromisoformat(at))

    assert found == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    ("start", "end", "field"),
    [
        ("01:00", None, "window_end"),
        (None, "01:00", "window_start"),
        ("24:00", "01:00", "window_start"),
        ("01:00", "1:00", "window_end"),
        ("01:00", "01:60", "window_end"),
        ("01:00\n", "02:00", "window_start"),
        ("01:00", "01:00", "window_end"),
    ],
)
def test_a_window_that_will_not_do_is_named(start: str | None, end: str | None, field: str) -> None:
    with pytest.raises(InvalidWindowError, match=f"^{field}: "):
        window_of(start, end, BERLIN)


def test_a_share_is_the_same_for_ever_and_spreads_evenly() -> None:
    shares = sorted(share_of(each) for each in IDS)

    assert share_of(UUID("0198f3a2-6c1e-7101-9a4b-5d2e8c7f1101")) == pytest.approx(
        0.1182, abs=0.0001
    )
    assert all(0 <= each < 1 for each in shares)
    assert all(abs(share - place / 100) < 0.2 for place, share in enumerate(shares))


def test_a_hundred_at_two_spread_over_the_jitter_and_keep_their_due_time() -> None:
    two = datetime(2026, 6, 1, 2, tzinfo=ZoneInfo(BERLIN)).astimezone(UTC)

    starts = [rules(each, jitter_seconds=1800).starts_at(two) - two for each in IDS]

    assert all(timedelta(0) <= each < timedelta(minutes=30) for each in starts)
    assert len({each // timedelta(minutes=3) for each in starts}) == 10
    assert rules().starts_at(two) == two


def test_jitter_never_leaves_the_window_nor_changes_the_order() -> None:
    table = rules(
        schedule="*/10 * * * *", jitter_seconds=86_400, window_start="22:00", window_end="05:00"
    )
    for night in ("2026-06-01", "2026-03-28", "2026-10-24"):
        noon = datetime.fromisoformat(f"{night}T12:00+02:00")
        times = [each for each, _ in zip(table.due_after(noon), range(144), strict=False)]
        inside = [each for each in times if table.in_window(each)]
        starts = [table.starts_at(each) for each in inside]

        assert len(inside) > 30
        assert starts == sorted(starts)
        assert all(map(table.in_window, starts))
        assert [table.starts_at(each) for each in times if each not in inside] == [
            each for each in times if each not in inside
        ]


def test_what_passed_is_told_in_pieces_and_only_when_its_start_has_come() -> None:
    at = datetime(2026, 6, 1, 12, tzinfo=UTC)
    table = rules(schedule="* * * * *")
    late = rules(IDS[1], schedule="* * * * *", jitter_seconds=600)
    delay = late.starts_at(at) - at

    first, more = passed(table, at, at + timedelta(minutes=5), 3)
    rest, end = passed(table, first[-1], at + timedelta(minutes=5), 3)

    assert [each.minute for each in (*first, *rest)] == [1, 2, 3, 4, 5]
    assert (more, end) == (True, False)
    assert delay > timedelta(0)
    minute = timedelta(minutes=1)
    assert passed(late, at, at + minute + delay - timedelta(seconds=1), 9) == ((), False)
    assert passed(late, at, at + minute + delay, 9) == ((at + minute,), False)
