"""The executor's pure rules."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from holdfast.events.run import Failure, RunCompleted, RunStatus
from holdfast.events.work import BackupRequested
from holdfast.executor.domain import (
    TargetOutcome,
    backup_outcome,
    backup_status,
    failure_of,
    names_told,
    outcome_id,
    run_tag,
    seconds_between,
    snapshot_tags,
)
from holdfast.kernel.errors import UnavailableError
from holdfast.kernel.ids import new_id
from holdfast.kernel.secret import Secret
from holdfast.restic.errors import RestoreIncompleteError

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
S, P, F, C = RunStatus.SUCCESS, RunStatus.PARTIAL, RunStatus.FAILED, RunStatus.CANCELLED


@pytest.mark.parametrize(
    ("statuses", "whole"),
    [
        ([S], S),
        ([S, S], S),
        ([P], P),
        ([S, P], P),
        ([S, F], P),
        ([P, F], P),
        ([F], F),
        ([F, F], F),
        ([], F),
        ([C], C),
        ([S, C], C),
        ([F, C], C),
    ],
)
def test_a_backup_is_as_good_as_its_destinations(
    statuses: list[RunStatus], whole: RunStatus
) -> None:
    assert backup_status(statuses) is whole


def test_a_failure_names_every_destination_at_fault() -> None:
    away = Failure(code="away", message="It is away.", retryable=True)
    full = Failure(code="no_space", message="It is full.")

    outcome = backup_outcome(
        [
            TargetOutcome(name="nas", status=F, failure=full),
            TargetOutcome(name="b2", status=S),
            TargetOutcome(name="usb", status=F, failure=away),
        ]
    )

    assert outcome.status is P
    assert outcome.failure is not None
    assert outcome.failure.message == "nas: It is full. usb: It is away."
    assert outcome.failure.code == "no_space"
    assert outcome.failure.retryable


def test_unreadable_files_are_named_in_a_partial_run() -> None:
    names = tuple(f"/f{number}" for number in range(7))

    outcome = backup_outcome(
        [TargetOutcome(name="nas", status=P, unreadable_count=250, unreadable_files=names)]
    )

    assert outcome.failure is not None
    assert "/f0, /f1, /f2, /f3, /f4 and 245 more" in outcome.failure.message


def test_a_success_has_no_failure() -> None:
    assert backup_outcome([TargetOutcome(name="nas", status=S)]).failure is None


@pytest.mark.parametrize(
    ("names", "count", "told"),
    [
        (["a"], None, "a"),
        (["a", "b"], 2, "a, b"),
        (list("abcdef"), None, "a, b, c, d, e and 1 more"),
        ([], 3, "3 files"),
    ],
)
def test_a_few_names_are_told(names: list[str], count: int | None, told: str) -> None:
    assert names_told(names, count) == told


def test_secrets_are_cut_out_of_every_text() -> None:
    error = RuntimeError("cannot open with hunter22 at all")

    failure = failure_of(error, [Secret("hunter22"), Secret("at")])

    assert failure.code == "internal_error"
    assert "hunter22" not in repr(failure)
    assert "RuntimeError: cannot open with •••• at all" in failure.detail


def test_our_own_errors_keep_their_words() -> None:
    failure = failure_of(
        UnavailableError("It is away.", detail="NATS: s3cret!"), [Secret("s3cret!")]
    )

    assert (failure.code, failure.message, failure.retryable) == (
        "unavailable",
        "It is away.",
        True,
    )
    assert failure.detail == "NATS: ••••"


def test_files_that_did_not_come_back_are_named() -> None:
    failure = failure_of(RestoreIncompleteError(["/a", "/b"], 2, detail=""))

    assert failure.message == "2 files could not be restored. /a, /b"


def test_an_outcome_has_one_id_a_claim() -> None:
    run = UUID(int=7)

    assert outcome_id(RunCompleted, run, 1) == outcome_id(RunCompleted, run, 1)
    assert outcome_id(RunCompleted, run, 1) != outcome_id(RunCompleted, run, 2)


def test_a_clock_that_is_set_back_makes_no_negative_duration() -> None:
    assert seconds_between(NOW, NOW - timedelta(hours=1)) == 0


def test_the_runs_tag_is_there_once() -> None:
    run_id = new_id()
    work = BackupRequested(
        event_id=new_id(),
        occurred_at=NOW,
        run_id=run_id,
        site="main",
        configuration_id=new_id(),
        hostname="here",
        paths=("/data",),
        tags=("app:x",),
        targets=(),
    )

    assert snapshot_tags(work) == ("app:x", run_tag(run_id))
