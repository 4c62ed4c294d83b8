"""Which migrations are run, and when none may be."""

import pytest

from holdfast.catalog.migrate import Migration, MigrationError, bundled, pending

STEPS = tuple(Migration(number, f"step_{number}", f"select {number}") for number in (1, 2, 3))
SUMS = {step.number: step.sha256 for step in STEPS}


def test_what_has_run_is_not_run_again() -> None:
    assert pending(STEPS, {}) == STEPS
    assert pending(STEPS, {1: SUMS[1]}) == STEPS[1:]
    assert pending(STEPS, SUMS) == ()


def test_a_newer_database_is_refused() -> None:
    with pytest.raises(MigrationError, match="has schema 4"):
        pending(STEPS, {**SUMS, 4: "x"})


def test_a_step_that_reads_differently_is_refused_by_name() -> None:
    with pytest.raises(MigrationError, match="0002_step_2"):
        pending(STEPS, {1: SUMS[1], 2: "x"})


def test_a_step_missing_in_between_is_refused() -> None:
    with pytest.raises(MigrationError, match="0001_step_1"):
        pending(STEPS, {2: SUMS[2]})


def test_the_bundled_steps_are_numbered_without_a_gap() -> None:
    assert [step.number for step in bundled()] == list(range(1, len(bundled()) + 1))
