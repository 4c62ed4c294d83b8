"""Which parts are read when: over simulated days, the promise is kept or a warning is shown."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from holdfast.catalog.domain.verification import (
    DAY,
    MIB,
    Promise,
    Reading,
    coverage,
    part_of,
    parts_today,
    rotation_of,
    warnings_of,
)

START = datetime(2026, 1, 1, 5, tzinfo=UTC)
GIB = 1024 * MIB


def promised(within: int = 30, budget: int | None = None, size: int = 0) -> Promise:
    return Promise(within_days=within, budget_mib_per_day=budget, repository_size=size, since=START)


class House:
    """A destination whose checks come daily, unless it is off."""

    def __init__(self, promise: Promise) -> None:
        self.promise = promise
        self.rows: dict[tuple[int, int], Reading] = {}

    @property
    def readings(self) -> list[Reading]:
        return list(self.rows.values())

    def check(self, now: datetime) -> tuple[int, ...]:
        parts = rotation_of(self.promise).parts
        read = parts_today(self.promise, self.readings, now)
        for part in read:
            self.rows[parts, part] = Reading(parts=parts, part=part, read_at=now)
        return read

    def oldest(self, now: datetime) -> timedelta:
        """How long the part that waits longest waits: computed by first byte, on its own."""
        latest = dict.fromkeys(range(256), self.promise.since)
        for row in self.readings:
            for byte in range(row.part - 1, 256, row.parts):
                latest[byte] = max(latest[byte], row.read_at)
        return now - min(latest.values())


@pytest.mark.parametrize("within", [1, 2, 3, 7, 14, 30, 90, 400])
def test_with_a_check_a_day_every_part_is_read_within_the_promised_days(within: int) -> None:
    house = House(promised(within))
    most = 0

    for day in range(2 * within + 5):
        # As late as a busy house may be: never by more than a few hours.
        now = START + day * DAY
        assert house.oldest(now) <= within * DAY
        assert warnings_of(house.promise, house.readings, now) == ()
        most = max(most, len(house.check(now)))

    assert most <= 2  # a day's share, never a heap
    states = coverage(house.promise, rotation_of(house.promise), house.readings)
    assert all(each.read_at for each in states)


@pytest.mark.parametrize("seed", range(25))
def test_over_days_with_downtime_the_promise_is_kept_or_a_warning_is_shown(seed: int) -> None:
    chance = random.Random(seed)
    within = chance.choice([1, 2, 5, 10, 30, 60])
    size = chance.choice([0, 5 * GIB, 500 * GIB])
    budget = chance.choice([None, None, 100, 2_000, 50_000])
    house = House(promised(within, budget, size))
    down = 0

    for day in range(2 * within + 40):
        now = START + day * DAY + timedelta(minutes=chance.randrange(60))
        if house.oldest(now) > within * DAY:
            assert warnings_of(house.promise, house.readings, now)
        if down == 0 and chance.random() < 0.1:
            down = chance.randrange(1, 2 * within + 2)
        if down:
            down -= 1
            continue
        house.check(now)
        if budget is None:
            # Whatever was missed is caught up at once.
            assert house.oldest(now) <= within * DAY


@pytest.mark.parametrize("seed", range(20))
def test_a_downtime_shorter_than_the_days_to_spare_breaks_nothing(seed: int) -> None:
    chance = random.Random(seed)
    house = House(promised(30))
    day = 0

    while day < 200:
        now = START + day * DAY
        assert house.oldest(now) <= 30 * DAY
        house.check(now)
        day += chance.choice([1, 1, 1, 1, 6])


def test_what_was_missed_is_made_up_for_and_then_spreads_again() -> None:
    house = House(promised(30))
    for day in range(60):
        house.check(START + day * DAY)

    caught_up = house.check(START + 75 * DAY)
    after = [len(house.check(START + day * DAY)) for day in range(76, 140)]

    assert len(caught_up) == 16
    assert set(after[30:]) == {1}


@pytest.mark.parametrize("seed", range(20))
def test_the_budget_is_kept_whatever_is_due(seed: int) -> None:
    chance = random.Random(seed)
    budget = chance.choice([50, 1_000, 20_000])
    size = chance.choice([3 * GIB, 300 * GIB, 4_000 * GIB])
    house = House(promised(30, budget, size))
    days = rotation_of(house.promise).budget_days
    spent: list[tuple[datetime, float]] = []

    for day in range(100):
        if chance.random() < 0.2:
            continue
        now = START + day * DAY
        read = house.check(now)
        spent.append((now, len(read) * size / rotation_of(house.promise).parts))
        lately = sum(each for at, each in spent if at > now - days * DAY)
        assert lately <= budget * MIB * days


def test_a_budget_that_makes_the_promise_impossible_is_told_with_numbers() -> None:
    promise = promised(30, budget=1024, size=200 * GIB)

    (warning,) = warnings_of(promise, [], START)

    assert "takes about 200 days at 1024 MiB a day" in warning
    assert "the promise is 30 days" in warning
    enough = promised(30, budget=8534, size=200 * GIB)
    assert "with 8534 MiB a day" in warning
    assert warnings_of(enough, [], START) == ()


def test_a_part_that_exceeds_a_days_budget_is_read_on_the_budget_of_several() -> None:
    house = House(promised(30, budget=100, size=256 * 250 * MIB))

    read = [len(house.check(START + day * DAY)) for day in range(9)]

    assert rotation_of(house.promise).parts == 256
    assert read == [1, 0, 0, 1, 0, 0, 1, 0, 0]


def test_another_number_of_parts_forgets_nothing() -> None:
    house = House(promised(30))
    for day in range(30):
        house.check(START + day * DAY)
    now = START + 30 * DAY
    other = promised(10)

    states = coverage(other, rotation_of(other), house.readings)

    assert all(each.read_at for each in states)
    whole = Reading(parts=1, part=1, read_at=now)
    assert {each.read_at for each in coverage(other, rotation_of(other), [whole])} == {now}


def test_a_pack_is_in_the_part_that_restic_reads_it_with() -> None:
    # Measured: restic check --read-data-subset=1/3 reads d758…, whose first byte is 215.
    assert part_of("d758a528", 3) == 215 % 3 + 1
    assert part_of("00ff", 256) == 1
    assert part_of("ffff", 256) == 256
