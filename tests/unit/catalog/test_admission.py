"""Which runs may start: the rules one by one, then all of them under a simulated load."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from holdfast.catalog.domain.admission import BACKUPS_PER_DEVICE, PATIENCE, Candidate, admit
from holdfast.events.run import Operation, Trigger

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
A, B, C = (UUID(int=number) for number in (0xA, 0xB, 0xC))
SHARED = (Operation.BACKUP, Operation.RESTORE, Operation.PROBE)
EXCLUSIVE = (Operation.INIT, Operation.FORGET, Operation.PRUNE)


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

    def __init__(self) -> None:
        self.now = NOW
        self.queued: list[Candidate] = []
        self.active: dict[Candidate, datetime] = {}
        self.admitted_at: dict[UUID, datetime] = {}

    def step(self, arrivals: list[Candidate], minutes: int) -> None:
        self.now += timedelta(minutes=1)
        self.active = {one: end for one, end in self.active.items() if end > self.now}
        self.queued += [replace(one, queued_at=self.now) for one in arrivals]
        for run_id in admit(self.queued, self.active, self.now):
            (one,) = [each for each in self.queued if each.id == run_id]
            self.queued.remove(one)
            self.active[one] = self.now + timedelta(minutes=minutes)
            self.admitted_at[run_id] = self.now
        self.check()

    def check(self) -> None:
        for place in (A, B, C):
            users = [one for one in self.active if place in one.destination_ids]
            assert len(users) == 1 or not any(one.exclusive for one in users)
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
