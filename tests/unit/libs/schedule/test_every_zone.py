"""Every zone and ten years: each due time comes once, whichever way the years are cut."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from functools import cache
from itertools import pairwise, takewhile
from zoneinfo import ZoneInfo, available_timezones

import msgspec
import pytest

from holdfast.schedule import due_times, parse

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Change(msgspec.Struct, frozen=True):
    """A moment at which a zone's clocks are set."""

    zone: str
    at: datetime
    before: timedelta
    after: timedelta

    @property
    def reading(self) -> datetime:
        """What clocks would have shown then, had they not been set."""
        return (self.at + self.before).replace(tzinfo=None)

    @property
    def later(self) -> datetime:
        """What they show then; earlier than *reading* when they go back."""
        return (self.at + self.after).replace(tzinfo=None)


def offset(zone: ZoneInfo, at: datetime) -> timedelta:
    found = at.astimezone(zone).utcoffset()
    assert found is not None
    return found


def changes_of(name: str) -> Iterator[Change]:
    """By steps of five days, then halving."""
    zone, low = ZoneInfo(name), START
    while low < END:
        high = low + 5 * DAY
        before, after = offset(zone, low), offset(zone, high)
        if before != after:
            early, late = low, high
            while late - early > timedelta(seconds=1):
                middle = early + (late - early) / 2
                middle = middle.replace(microsecond=0)
                if middle in (early, late):
                    break
                early, late = (middle, late) if offset(zone, middle) == before else (early, middle)
            yield Change(name, late, before, after)
        low = high


@cache
def changes() -> tuple[Change, ...]:
    """Those of all zones; of zones that set their clocks alike, of one."""
    alike: dict[tuple[tuple[datetime, timedelta, timedelta], ...], list[Change]] = {}
    for name in sorted(available_timezones() - {"localtime", "Factory"}):
        found = list(changes_of(name))
        alike.setdefault(tuple((each.at, each.before, each.after) for each in found), found)
    return tuple(each for found in alike.values() for each in found)


def up_to(schedule: str, zone: str, after: datetime, end: datetime) -> list[datetime]:
    return list(takewhile(lambda each: each <= end, due_times(parse(schedule, zone), after)))


def fixed_times(reading: time, zone: ZoneInfo, after: datetime, end: datetime) -> list[datetime]:
    """The rule in words: once a day, at the first of two, right after a gap."""
    found = set()
    day = after.astimezone(zone).date() - DAY
    while day <= end.astimezone(zone).date():
        at = datetime.combine(day, reading, tzinfo=zone).astimezone(UTC)
        if at.astimezone(zone).time() != reading:
            # Skipped.  Seen from before the gap it is so much too late as it lies in the gap.
            while offset(zone, at - MINUTE) == offset(zone, at):
                at -= MINUTE
        found.add(at)
        day += DAY
    return sorted(each for each in found if after < each <= end)


def real_times(minutes: set[int], zone: ZoneInfo, after: datetime, end: datetime) -> list[datetime]:
    """The other rule: every minute of real time whose reading matches."""
    at, found = after.replace(second=0) + MINUTE, []
    while at <= end:
        if at.astimezone(zone).minute in minutes:
            found.append(at)
        at += MINUTE
    return found


def test_there_is_something_to_test() -> None:
    assert len({each.zone for each in changes()}) >= 25
    assert len(changes()) > 400


@pytest.mark.parametrize("place", ["before", "first", "inside", "last", "after"])
def test_a_fixed_time_near_every_change_comes_once_a_day(place: str) -> None:
    for change in changes():
        low, high = sorted((change.reading, change.later))
        at = {
            "before": low - MINUTE,
            "first": low,
            "inside": (low + (high - low) / 2).replace(second=0),
            "last": high - MINUTE,
            "after": high,
        }[place]
        after, end = change.at - 30 * HOUR, change.at + 30 * HOUR

        found = up_to(f"{at.minute} {at.hour} * * *", change.zone, after, end)

        expected = fixed_times(at.time(), ZoneInfo(change.zone), after, end)
        assert found == expected, change
        if place in ("first", "inside", "last") and change.later > change.reading:
            assert change.at in found, change


@pytest.mark.parametrize(
    ("fields", "minutes"), [("0 * * * *", {0}), ("*/15 * * * *", {0, 15, 30, 45})]
)
def test_what_recurs_by_the_hour_follows_real_time(fields: str, minutes: set[int]) -> None:
    for change in changes()[:: 3 if len(minutes) > 1 else 2]:
        after, end = change.at - 2 * HOUR, change.at + 2 * HOUR

        found = up_to(fields, change.zone, after, end)

        assert found == real_times(minutes, ZoneInfo(change.zone), after, end), change


def test_however_the_time_is_cut_each_comes_once_and_in_order() -> None:
    dice = random.Random(3)
    for change in changes():
        reading = change.reading + dice.choice((-45, -30, 0, 15, 30, 60)) * MINUTE
        schedule = dice.choice(
            (
                f"{reading.minute} {reading.hour} * * *",
                f"{reading.minute} * * * *",
                f"*/20 {reading.hour} * * *",
                "*/7 * * * *",
                "@hourly",
                "@daily",
            )
        )
        start, end = change.at - 4 * HOUR, change.at + 4 * HOUR
        whole = up_to(schedule, change.zone, start, end)
        cuts = sorted(start + dice.random() * (end - start) for _ in range(6))

        parts = [
            time
            for low, high in zip([start, *cuts], [*cuts, end], strict=True)
            for time in up_to(schedule, change.zone, low, high)
        ]

        assert parts == whole, (change, schedule, cuts)
        assert whole == sorted(set(whole)), (change, schedule)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Africa/Casablanca", "Australia/Lord_Howe"])
def test_ten_years_of_nights_are_as_many_as_there_are_days(zone: str) -> None:
    for fields in ("30 2 * * *", "0 0 * * *", "59 23 * * *"):
        times = up_to(fields, zone, START, END)

        assert len(times) == (END - START).days
        assert all(20 * HOUR <= later - earlier <= 28 * HOUR for earlier, later in pairwise(times))
