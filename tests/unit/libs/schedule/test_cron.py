"""When a schedule comes due, most of all on the nights when clocks change."""

from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest

from holdfast.schedule import (
    InvalidScheduleError,
    Schedule,
    due_times,
    newest_due,
    next_due,
    parse,
)

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"

# Each case: fields, zone, start and end in local time; then the due times between, as the
# instants they are (the clock's reading with its offset from UTC).
NIGHTS = [
    # Spring: the hour from 2 to 3 does not exist.  A fixed time in it runs after the gap.
    ("30 2 * * *", BERLIN, "2026-03-28T12:00", "2026-03-30T12:00",
     ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
    ("0,30 2 * * *", BERLIN, "2026-03-29T00:00", "2026-03-29T12:00",
     ["2026-03-29T03:00+02:00"]),
    ("0 2,3 * * *", BERLIN, "2026-03-29T00:00", "2026-03-29T12:00",
     ["2026-03-29T03:00+02:00"]),
    ("0 * * * *", BERLIN, "2026-03-29T00:30", "2026-03-29T04:30",
     ["2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00", "2026-03-29T04:00+02:00"]),
    ("*/30 2 * * *", BERLIN, "2026-03-29T00:00", "2026-03-29T12:00", []),
    # Autumn: the hour from 2 to 3 comes twice.  A fixed time in it runs once, at the first.
    ("30 2 * * *", BERLIN, "2026-10-24T12:00", "2026-10-26T12:00",
     ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
    ("0 * * * *", BERLIN, "2026-10-25T01:30", "2026-10-25T03:30",
     ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00", "2026-10-25T03:00+01:00"]),
    ("*/30 * * * *", BERLIN, "2026-10-25T01:45", "2026-10-25T03:15",
     ["2026-10-25T02:00+02:00", "2026-10-25T02:30+02:00", "2026-10-25T02:00+01:00",
      "2026-10-25T02:30+01:00", "2026-10-25T03:00+01:00"]),
    ("0 3 * * *", BERLIN, "2026-10-24T12:00", "2026-10-25T12:00", ["2026-10-25T03:00+01:00"]),
    # The same in New York, where the hours are other ones.
    ("30 2 * * *", NEW_YORK, "2026-03-08T00:00", "2026-03-09T12:00",
     ["2026-03-08T03:00-04:00", "2026-03-09T02:30-04:00"]),
    ("30 1 * * *", NEW_YORK, "2026-10-31T12:00", "2026-11-02T12:00",
     ["2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"]),
    ("0 * * * *", NEW_YORK, "2026-11-01T00:30", "2026-11-01T02:30",
     ["2026-11-01T01:00-04:00", "2026-11-01T01:00-05:00", "2026-11-01T02:00-05:00"]),
    # Lord Howe moves its clocks by half an hour.
    ("15 2 * * *", LORD_HOWE, "2026-10-03T12:00", "2026-10-05T12:00",
     ["2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00"]),
    ("45 1 * * *", LORD_HOWE, "2026-04-04T12:00", "2026-04-06T12:00",
     ["2026-04-05T01:45+11:00", "2026-04-06T01:45+10:30"]),
    # A midnight that does not exist: the day still has its run.
    ("@daily", "America/Santiago", "2026-09-05T12:00", "2026-09-07T12:00",
     ["2026-09-06T01:00-03:00", "2026-09-07T00:00-03:00"]),
]  # fmt: skip

CALENDAR = [
    # As in cron: with both a day of the month and a weekday, either one is enough.
    ("0 0 13 * 5", "2026-02-28T00:00", ["2026-03-06", "2026-03-13", "2026-03-20"]),
    ("0 0 29 2 *", "2026-01-01T00:00", ["2028-02-29", "2032-02-29"]),
    ("0 0 31 * *", "2026-01-31T00:00", ["2026-03-31", "2026-05-31"]),
    ("0 0 L * *", "2026-01-31T00:00", ["2026-02-28", "2026-03-31"]),
    ("0 0 * * 7", "2026-03-01T00:00", ["2026-03-08"]),
    ("0 0 * * mon#1", "2026-03-01T00:00", ["2026-03-02", "2026-04-06"]),
    ("@weekly", "2026-03-01T00:00", ["2026-03-08"]),
    ("@monthly", "2026-03-01T00:00", ["2026-04-01"]),
    ("@Yearly", "2026-03-01T00:00", ["2027-01-01"]),
    ("  0   0  1 1  * ", "2026-03-01T00:00", ["2027-01-01"]),
]


def missed(schedule: Schedule, after: datetime, now: datetime) -> tuple[datetime, ...]:
    """The due times later than *after*, up to *now*."""
    return tuple(takewhile(lambda time: time <= now, due_times(schedule, after)))


def local(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(("fields", "zone", "start", "end", "expected"), NIGHTS)
def test_the_odd_nights(fields: str, zone: str, start: str, end: str, expected: list[str]) -> None:
    times = missed(parse(fields, zone), local(start, zone), local(end, zone))

    assert list(times) == [datetime.fromisoformat(each) for each in expected]


@pytest.mark.parametrize(("fields", "zone", "start", "end", "expected"), NIGHTS)
def test_from_each_time_the_next_one_is_found(
    fields: str, zone: str, start: str, end: str, expected: list[str]
) -> None:
    schedule, after, found = parse(fields, zone), local(start, zone), []

    while (after := next_due(schedule, after)) and after <= local(end, zone):
        found.append(after)

    assert found == [datetime.fromisoformat(each) for each in expected]


@pytest.mark.parametrize(("zone", "night"), [(BERLIN, "2026-10-25"), (LORD_HOWE, "2026-04-05")])
def test_a_fixed_time_that_was_kept_does_not_come_again_in_the_repeated_hour(
    zone: str, night: str
) -> None:
    schedule = parse("45 1 * * *" if zone == LORD_HOWE else "30 2 * * *", zone)
    second = local(f"{night}T01:35" if zone == LORD_HOWE else f"{night}T02:10", zone)
    second = second.replace(fold=1)

    assert missed(schedule, second, second + timedelta(hours=12)) == ()
    assert len(missed(schedule, second - timedelta(hours=6), second)) == 1


@pytest.mark.parametrize(("fields", "after", "expected"), CALENDAR)
def test_the_calendar(fields: str, after: str, expected: list[str]) -> None:
    schedule, time = parse(fields, "UTC"), local(after, "UTC")

    found = [time := next_due(schedule, time) for _ in expected]

    assert [each.date().isoformat() for each in found if each] == expected


def test_a_due_time_is_later_than_the_one_before_and_in_utc() -> None:
    at = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
    schedule = parse("0 2 * * *", "UTC")

    assert next_due(schedule, at) == at + timedelta(days=1)
    assert next_due(schedule, at - timedelta(microseconds=1)) == at
    assert next_due(parse("0 3 * * *", BERLIN), at).tzinfo is UTC  # type: ignore[union-attr]  # it always comes


def test_missed_takes_in_now_and_leaves_out_after() -> None:
    at = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
    schedule = parse("0 2 * * *", "UTC")

    assert missed(schedule, at - timedelta(days=2), at) == (at - timedelta(days=1), at)
    assert missed(schedule, at, at) == ()
    assert missed(schedule, at, at - timedelta(days=1)) == ()


def test_the_newest_of_a_year_of_minutes_is_found_without_walking_through_it() -> None:
    now = datetime(2026, 3, 1, 2, 0, 30, tzinfo=UTC)
    schedule = parse("* * * * *", "UTC")

    assert newest_due(schedule, now - timedelta(days=365), now) == now.replace(second=0)
    assert newest_due(schedule, now, now + timedelta(seconds=29)) is None
    assert newest_due(parse("0 0 1 1 *", "UTC"), now - timedelta(days=900), now) == datetime(
        2026, 1, 1, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("fields", "zone"),
    [
        ("", "UTC"),
        ("0 2 * *", "UTC"),
        ("0 0 2 * * *", "UTC"),
        ("60 2 * * *", "UTC"),
        ("5-1 * * * *", "UTC"),
        ("*/0 * * * *", "UTC"),
        ("٣ 2 * * *", "UTC"),
        ("0 0 31 2 *", "UTC"),
        ("@reboot", "UTC"),
        ("0 2 * * *", "Europe/Nowhere"),
        ("0 2 * * *", ""),
        ("0 2 * * *", "../etc/passwd"),
    ],
)
def test_what_never_comes_due_is_refused(fields: str, zone: str) -> None:
    with pytest.raises(InvalidScheduleError):
        parse(fields, zone)
