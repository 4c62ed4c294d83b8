"""Plans that are refused, however right the rules make them look."""

import pytest

from holdfast.retention.domain import Kept, RetentionPlan
from holdfast.retention.guards import Limits, Refusal, guard

HALF = Limits(share=0.5, always_allowed=2)


def plan(keep: int, forget: int) -> RetentionPlan:
    return RetentionPlan(
        keep=tuple(Kept(id=f"keep-{n}", reasons=("last snapshot",)) for n in range(keep)),
        forget=tuple(f"forget-{n}" for n in range(forget)),
    )


@pytest.mark.parametrize(
    ("keep", "forget", "allowed"),
    [(0, 0, True), (1, 0, True), (1, 1, True), (1, 2, True), (3, 3, True), (2, 3, False)],
)
def test_a_share_may_go_at_once_and_a_few_always(keep: int, forget: int, allowed: bool) -> None:
    wanted = plan(keep, forget)

    answer = guard(wanted, HALF)

    assert (answer is wanted) is allowed
    if not allowed:
        assert isinstance(answer, Refusal)
        assert answer.code == "too_many_at_once"
        assert "3 of 5" in answer.reason
        assert "50%" in answer.reason


def test_without_a_limit_any_share_may_go() -> None:
    wanted = plan(1, 500)

    assert guard(wanted, Limits()) is wanted


def test_the_last_snapshot_never_goes() -> None:
    answer = guard(plan(0, 1), Limits())

    assert isinstance(answer, Refusal)
    assert answer.code == "last_restorable_snapshot"


def test_snapshots_that_cannot_be_restored_do_not_stand_for_one_that_can() -> None:
    answer = guard(plan(2, 1), Limits(), not_restorable=("keep-0", "keep-1"))

    assert isinstance(answer, Refusal)
    assert answer.code == "last_restorable_snapshot"


def test_damaged_snapshots_may_go() -> None:
    wanted = plan(2, 1)

    assert guard(wanted, Limits(), not_restorable=("keep-0", "forget-0")) is wanted
    assert guard(wanted, Limits(), not_restorable=("keep-0", "keep-1", "forget-0")) is wanted
