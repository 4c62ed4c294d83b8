"""What a run's end leads to."""

import pytest

from holdfast.catalog.domain.run import MOST_DEATHS, after_last_try, dies_again
from holdfast.catalog.keeper import found_within
from holdfast.events.run import Failure
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
