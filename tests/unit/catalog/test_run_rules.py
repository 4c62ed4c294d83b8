"""What a run's end leads to."""

import pytest

from holdfast.catalog.domain.run import (
    MOST_DEATHS,
    after_last_try,
    dies_again,
    differ,
    is_damage,
)
from holdfast.catalog.keeper import found_within
from holdfast.events.run import Failure
from holdfast.events.snapshot import Replica, Way
from holdfast.kernel.ids import new_id
from support.runs import PASSES, STAYS


def test_after_the_last_try_it_is_told_how_many_there_were() -> None:
    last = after_last_try(PASSES, 4)

    assert last is not None
    assert last.message == f"{PASSES.message} It was tried 4 times."
    assert (last.code, last.detail) == (PASSES.code, PASSES.detail)


@pytest.mark.parametrize(("failure", "attempt"), [(PASSES, 1), (STAYS, 1), (None, 4)])
def test_what_was_tried_once_is_told_as_it_is(failure: Failure | None, attempt: int) -> None:
    assert after_last_try(failure, attempt) == failure


def test_a_dead_executors_run_is_on_the_queue_within_a_minute() -> None:
    assert found_within(15.0) <= 60


@pytest.mark.parametrize("deaths", range(MOST_DEATHS + 1))
def test_so_many_deaths_are_enough(deaths: int) -> None:
    assert dies_again(deaths, None) is (deaths >= MOST_DEATHS)


@pytest.mark.parametrize(
    ("replicas", "different", "damage"),
    [
        ([("backup", "a")], False, False),
        ([("backup", "a"), ("copy", "a"), ("mirror", "a")], False, False),
        ([("backup", "a"), ("backup", "b")], True, False),
        ([("backup", "a"), ("backup", "b"), ("copy", "b")], True, False),
        ([("backup", "a"), ("copy", "b")], True, True),
        ([("backup", "a"), ("mirror", "a"), ("mirror", "b")], True, True),
        ([("copy", "a"), ("mirror", "b")], True, True),
    ],
)
def test_a_copy_that_is_like_no_original_is_damage(
    replicas: list[tuple[str, str]], different: bool, damage: bool
) -> None:
    made = [
        Replica(
            snapshot_id=new_id(),
            destination_id=new_id(),
            destination_name="",
            tree=tree,
            way=Way(way),
        )
        for way, tree in replicas
    ]

    assert differ(made) is different
    assert is_damage(made) is damage
