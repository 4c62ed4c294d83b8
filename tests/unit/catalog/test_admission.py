"""Which runs may start: the rules one by one, then all of them under a simulated load."""

import random
from collections import Counter, deque
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from holdfast.catalog.domain.admission import (
    BACKUPS_PER_DEVICE,
    PATIENCE,
    RUNS_PER_DESTINATION,
    Candidate,
    admit,
)
from holdfast.events.run import Operation, Trigger

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
A, B, C = (UUID(int=number) for number in (0xA, 0xB, 0xC))
SHARED = (Operation.BACKUP, Operation.RESTORE, Operation.PROBE)
EXCLUSIVE = (Operation.INIT, Operation.FORGET, Operation.PRUNE, Operation.PROTECTION_TEST)


def run(
    number: int,
    operation: Operation = Operation.BACKUP,
    *destinations: UUID,
    age: float = 0,
    trigger: Trigger = Trigger.SCHEDULE,
    device: int | None = None,
    configuration: int | None = None,
    not_before: datetime | None = None,
) -> Candidate:
    """A run that was queued *age* seconds ago."""
    return Candidate(
        id=UUID(int=number),
        operation=operation,
        trigger=trigger,
        destination_ids=destinations or (A,),
        device_id=None if device is None else UUID(int=device),
        configuration_id=UUID(int=configuration or 1000 + number),
        queued_at=NOW - timedelta(seconds=age),
        not_before=not_before,
    )


def admitted(queued: list[Candidate], active: list[Candidate] | None = None) -> list[int]:
    return [one.int for one in admit(queued, active or [], NOW)]


def test_any_number_of_shared_users_starts_at_once() -> None:
    assert admitted([run(number, operation) for number, operation in enumerate(SHARED)]) == [
        0,
        1,
        2,
    ]


@pytest.mark.parametrize("exclusive", EXCLUSIVE)
@pytest.mark.parametrize("other", [*SHARED, *EXCLUSIVE])
def test_an_exclusive_run_is_alone_at_its_repository(
    exclusive: Operation, other: Operation
) -> None:
    assert admitted([run(1, exclusive)], [run(2, other)]) == []
    assert admitted([run(2, other)], [run(1, exclusive)]) == []
    assert admitted([run(1, exclusive)], [run(2, other, B)]) == [1]


def test_what_came_by_hand_goes_first_then_the_older() -> None:
    queued = [
        run(1, age=20),
        run(2, age=30),
        run(3, age=5, trigger=Trigger.MANUAL),
        run(4, age=10, trigger=Trigger.MANUAL),
    ]

    assert admitted(queued) == [4, 3, 2, 1]


def test_a_device_does_so_many_backups_at_once_and_other_work_beside_them() -> None:
    queued = [run(number, device=9, age=10 - number) for number in range(BACKUPS_PER_DEVICE + 2)]

    assert admitted(queued) == list(range(BACKUPS_PER_DEVICE))
    assert admitted(queued[2:], queued[:1]) == [2]
    assert admitted([run(50, Operation.RESTORE, device=9)], queued[:BACKUPS_PER_DEVICE]) == [50]
    assert admitted([run(60, device=8)], queued[:BACKUPS_PER_DEVICE]) == [60]


def test_while_an_app_is_restored_nothing_else_is_done_to_it() -> None:
    app = UUID(int=5)
    restore = replace(run(1, Operation.APP_RESTORE), app_id=app)
    backup = replace(run(2, Operation.BACKUP), app_id=app)
    of_another = replace(run(3, Operation.BACKUP, B), app_id=UUID(int=6))

    assert admitted([backup, of_another], [restore]) == [3]
    assert admitted([restore], [backup]) == []
    assert admitted([restore], [replace(run(4, Operation.APP_RESTORE), app_id=app)]) == []
    assert admitted([restore], [of_another]) == [1]


def test_what_was_before_a_restore_is_not_removed_while_the_app_is_restored() -> None:
    app = UUID(int=5)
    restore = replace(run(1, Operation.APP_RESTORE), app_id=app)
    discard = replace(run(2, Operation.DISCARD_PREVIOUS), app_id=app, destination_ids=())
    of_another = replace(discard, id=UUID(int=3), app_id=UUID(int=6))

    assert admitted([discard, of_another], [restore]) == [3]
    assert admitted([restore], [discard]) == []
    assert admitted([replace(discard, id=UUID(int=4))], [discard]) == []


def test_two_backups_of_one_configuration_never_overlap() -> None:
    first, second = run(1, age=5, configuration=7), run(2, Operation.BACKUP, B, configuration=7)

    assert admitted([first, second]) == [1]
    assert admitted([second], [first]) == []


def test_a_retry_waits_for_its_time_and_holds_nobody_up() -> None:
    later = run(1, age=5, not_before=NOW + timedelta(seconds=1), configuration=7)

    assert admitted([later, run(2, configuration=7)]) == [2]
    assert admitted([replace(later, not_before=NOW)]) == [1]


def test_shared_work_does_not_pass_exclusive_work_that_waits() -> None:
    waiting = run(1, Operation.PRUNE, age=10)

    assert admitted([waiting, run(2, age=5)], [run(3)]) == []
    assert admitted([waiting, run(2, Operation.BACKUP, B, age=5)], [run(3)]) == [2]


def test_work_by_hand_passes_it_only_for_so_long() -> None:
    by_hand = run(2, age=5, trigger=Trigger.MANUAL)

    fresh = run(1, Operation.PRUNE, age=PATIENCE.total_seconds() - 1)
    assert admitted([fresh, by_hand], [run(3)]) == [2]
    patient = run(1, Operation.PRUNE, age=PATIENCE.total_seconds())
    assert admitted([patient, by_hand], [run(3)]) == []


def test_exclusive_work_does_not_pass_shared_work_that_waits_for_two_repositories() -> None:
    both = run(1, Operation.BACKUP, A, B, age=10)

    # Were the forget let in at B, and then another at A, the backup might never find both free.
    assert admitted([both, run(2, Operation.FORGET, B, age=5)], [run(3, Operation.FORGET, A)]) == []


def test_shared_work_that_waits_for_its_device_does_not_hold_up_a_repository() -> None:
    busy = [run(number, Operation.BACKUP, B, device=9) for number in range(10, 12)]
    waiting = run(1, Operation.BACKUP, A, device=9, age=10)

    assert admitted([waiting, run(2, Operation.FORGET, A, age=5)], busy) == [2]


def test_a_destination_serves_so_many_runs_at_once_and_the_others_theirs() -> None:
    queued = [run(number, age=10 - number) for number in range(RUNS_PER_DESTINATION + 2)]

    assert admitted(queued) == list(range(RUNS_PER_DESTINATION))
    assert admitted(queued[3:], queued[:3]) == [3]
    assert admitted([*queued[4:], run(50, Operation.BACKUP, B)], queued[:4]) == [50]
    assert [one.int for one in admit(queued, [], NOW, {A: 1, B: 9})] == [0]


def test_a_run_that_waits_for_a_full_destination_holds_up_no_other() -> None:
    full = [run(number, Operation.BACKUP, B) for number in range(10, 14)]
    both = run(1, Operation.BACKUP, A, B, age=10)

    behind = [run(number, Operation.BACKUP, A, age=5) for number in (2, 3)]
    assert admitted([both, *behind, run(4, Operation.RESTORE, A)], full) == [2, 3, 4]
    assert admitted([both, run(5, Operation.FORGET, A)], full) == [5]


def test_a_patient_run_keeps_one_place_at_each_of_its_destinations() -> None:
    full = [run(number, Operation.BACKUP, B) for number in range(10, 14)]
    patient = [
        run(number, Operation.BACKUP, A, B, age=PATIENCE.total_seconds() + 9 - number)
        for number in (1, 2)
    ]
    behind = [run(number, Operation.BACKUP, A, age=9 - number) for number in range(3, 9)]

    assert admitted([*patient, *behind], full) == [3, 4, 5]
    assert admitted([*patient, *behind], full[:3]) == [1, 3, 4]


def test_a_patient_run_is_the_next_of_its_configuration() -> None:
    """Else younger ones that need other destinations pass it again and again."""
    full = [run(number, Operation.BACKUP, A) for number in range(10, 14)]
    patient = run(1, Operation.BACKUP, A, age=PATIENCE.total_seconds(), configuration=7)
    younger = run(2, Operation.BACKUP, B, age=5, configuration=7, trigger=Trigger.MANUAL)

    assert admitted([patient, younger], full) == []
    assert admitted([patient, younger], full[:3]) == [1]


# ---- under load

candidates = st.builds(
    lambda number, operation, trigger, places, device, configuration: run(
        number,
        operation,
        *(places if operation is Operation.BACKUP else places[:1]),
        trigger=trigger,
        device=device,
        configuration=configuration,
    ),
    number=st.integers(1, 10**9),
    operation=st.sampled_from(Operation),
    trigger=st.sampled_from(Trigger),
    places=st.permutations((A, B, C)).flatmap(
        lambda order: st.integers(1, 3).map(lambda count: order[:count])
    ),
    device=st.integers(1, 2),
    configuration=st.integers(1, 4),
)


class House:
    """Runs arrive, are admitted and end, a minute a step."""

    def __init__(self, limits: dict[UUID, int] | None = None) -> None:
        self.limits = limits or {}
        self.now = NOW
        self.queued: list[Candidate] = []
        self.active: dict[Candidate, datetime] = {}
        self.admitted_at: dict[UUID, datetime] = {}

    def step(self, arrivals: list[Candidate], minutes: int) -> None:
        self.now += timedelta(minutes=1)
        self.active = {one: end for one, end in self.active.items() if end > self.now}
        self.queued += [replace(one, queued_at=self.now) for one in arrivals]
        for run_id in admit(self.queued, self.active, self.now, self.limits):
            (one,) = [each for each in self.queued if each.id == run_id]
            self.queued.remove(one)
            self.active[one] = self.now + timedelta(minutes=minutes)
            self.admitted_at[run_id] = self.now
        self.check()

    def check(self) -> None:
        for place in (A, B, C):
            users = [one for one in self.active if place in one.destination_ids]
            assert len(users) == 1 or not any(one.exclusive for one in users)
            assert len(users) <= self.limits.get(place, RUNS_PER_DESTINATION)
        backups = [one for one in self.active if one.operation is Operation.BACKUP]
        devices = Counter(one.device_id for one in backups if one.device_id)
        assert max(devices.values(), default=0) <= BACKUPS_PER_DEVICE
        assert max(Counter(one.configuration_id for one in backups).values(), default=0) <= 1


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(candidates, max_size=4), st.integers(1, 15)), min_size=1, max_size=40
    )
)
def test_rules_hold_and_everything_gets_its_turn(
    steps: list[tuple[list[Candidate], int]],
) -> None:
    house, seen = House(), set[UUID]()
    for arrivals, minutes in steps:
        fresh = [one for one in {each.id: each for each in arrivals}.values() if one.id not in seen]
        seen.update(one.id for one in fresh)
        house.step(fresh, minutes)

    for _ in range(20 * len(seen) + 1):
        if not house.queued:
            break
        house.step([], 15)

    assert house.queued == []
    assert set(house.admitted_at) == seen


@pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.RETENTION])
@pytest.mark.parametrize(
    ("operation", "places", "crowd", "minutes"),
    [
        (Operation.PRUNE, (A,), [(Operation.BACKUP, A)], 7),
        (Operation.BACKUP, (A, B), [(Operation.PRUNE, A), (Operation.FORGET, B)], 2),
        (Operation.BACKUP, (A, B, C), [(Operation.FORGET, each) for each in (A, B, C)], 2),
    ],
    ids=["exclusive among shared", "two repositories", "three repositories"],
)
def test_work_that_keeps_coming_starves_nobody(
    operation: Operation,
    places: tuple[UUID, ...],
    crowd: list[tuple[Operation, UUID]],
    minutes: int,
    trigger: Trigger,
) -> None:
    """One of the crowd comes each minute, so that never all places are free by themselves."""
    house = House()
    for minute in range(60):
        other, place = crowd[minute % len(crowd)]
        arrivals = [run(100 + minute, other, place, trigger=trigger)]
        if minute == 10:
            arrivals.append(run(1, operation, *places))
        house.step(arrivals, minutes)

    waited = house.admitted_at[UUID(int=1)] - (NOW + timedelta(minutes=11))
    assert waited <= PATIENCE + timedelta(minutes=minutes)


def test_a_retry_does_not_grow_old_before_its_time() -> None:
    retry = run(1, age=2 * PATIENCE.total_seconds(), not_before=NOW)

    assert admitted([retry, run(2, age=5, trigger=Trigger.MANUAL)]) == [2, 1]


# ---- thousands


class Arrival(NamedTuple):
    run: Candidate
    lasts: timedelta


class Simulated:
    """A big house for days: every run its own time, a minute a step."""

    def __init__(self, arrivals: Iterable[Arrival], limits: dict[UUID, int]) -> None:
        self.limits = limits
        self.coming = deque(arrivals)
        self.queued: dict[UUID, Candidate] = {}
        self.active: dict[UUID, tuple[Candidate, datetime]] = {}
        self.waited: dict[UUID, timedelta] = {}
        self.lasts: dict[UUID, timedelta] = {}
        self.longest = max(each.lasts for each in self.coming)
        self.oldest: tuple[UUID, datetime] | None = None

    def go(self) -> "Simulated":
        now = NOW
        while self.coming or self.queued or self.active:
            now += timedelta(minutes=1)
            self.step(now)
            assert now < NOW + timedelta(days=60), "it does not drain"
        return self

    def step(self, now: datetime) -> None:
        ended = [id for id, (_, end) in self.active.items() if end <= now]
        for id in ended:
            del self.active[id]
        while self.coming and self.coming[0].run.queued_at <= now:
            arrival = self.coming.popleft()
            self.queued[arrival.run.id] = arrival.run
            self.lasts[arrival.run.id] = arrival.lasts
        active = [one for one, _ in self.active.values()]
        for run_id in admit(self.queued.values(), active, now, self.limits):
            one = self.queued.pop(run_id)
            self.waited[run_id] = now - one.queued_at
            self.active[run_id] = (one, now + self.lasts[run_id])
        self.check(now)

    def check(self, now: datetime) -> None:
        running = [one for one, _ in self.active.values()]
        users = Counter(place for one in running for place in one.destination_ids)
        alone = [place for one in running if one.exclusive for place in one.destination_ids]
        assert all(users[place] == 1 for place in alone)
        assert all(
            count <= self.limits.get(place, RUNS_PER_DESTINATION) for place, count in users.items()
        )
        devices = Counter(one.device_id for one in running if one.operation is Operation.BACKUP)
        assert max(devices.values(), default=0) <= BACKUPS_PER_DEVICE
        self.check_bound(now)

    def check_bound(self, now: datetime) -> None:
        """Once it is patient, the oldest starts within three times the longest run."""
        if not self.queued:
            self.oldest = None
            return
        first = min(self.queued.values(), key=lambda one: (one.waits_since, one.id))
        if now - first.waits_since < PATIENCE:
            self.oldest = None
        elif self.oldest is None or self.oldest[0] != first.id:
            self.oldest = (first.id, now)
        else:
            assert now - self.oldest[1] <= 3 * self.longest + timedelta(minutes=1), first


OFTEN = {Operation.BACKUP: 70, Operation.FORGET: 12}
PLACES = tuple(UUID(int=0x100 + number) for number in range(8))


def crowd(seed: int, count: int) -> list[Arrival]:
    """*count* runs of 150 configurations on 25 devices, about as many as the house can do."""
    chance = random.Random(seed)
    found, now = [], NOW
    for number in range(1, count + 1):
        now += timedelta(seconds=chance.expovariate(1 / 25))
        operation = chance.choices(tuple(Operation), [OFTEN.get(each, 4) for each in Operation])[0]
        configuration = chance.randrange(150)
        places = chance.sample(PLACES, chance.randint(1, 3) if operation is Operation.BACKUP else 1)
        lasts = timedelta(minutes=chance.choice((1, 1, 2, 3, 5, 8)))
        found.append(
            Arrival(
                Candidate(
                    id=UUID(int=10_000 + number),
                    operation=operation,
                    trigger=chance.choice(tuple(Trigger)),
                    destination_ids=tuple(places),
                    device_id=UUID(int=configuration % 25),
                    configuration_id=UUID(int=configuration),
                    queued_at=now,
                ),
                lasts,
            )
        )
    return found


@pytest.mark.parametrize("seed", range(3))
def test_thousands_of_runs_each_get_their_turn_within_the_bound(seed: int) -> None:
    limits = {PLACES[0]: 1, PLACES[1]: 2, PLACES[2]: 8}

    house = Simulated(crowd(seed, 3000), limits).go()

    assert len(house.waited) == 3000


def test_a_slow_destination_holds_up_only_those_that_need_it() -> None:
    """One that hangs for hours, needed by nobody else: the others wait no longer than without."""
    slow = PLACES[0]
    plain = [each for each in crowd(5, 2000) if slow not in each.run.destination_ids]
    stuck = [
        Arrival(
            replace(
                each.run,
                id=UUID(int=each.run.id.int + 10**6),
                destination_ids=(slow,),
                operation=Operation.BACKUP,
                device_id=UUID(int=900 + index),
                configuration_id=UUID(int=5000 + index),
            ),
            timedelta(hours=4),
        )
        for index, each in enumerate(plain[::20])
    ]

    without = Simulated(plain, {}).go()
    beside = Simulated(sorted(plain + stuck, key=lambda each: each.run.queued_at), {}).go()

    assert {id: beside.waited[id] for id in without.waited} == without.waited
    assert max(beside.waited[each.run.id] for each in stuck) > timedelta(hours=4)
