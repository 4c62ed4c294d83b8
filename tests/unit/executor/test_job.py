"""One message: when it is done, when it comes again, when it is set aside."""

from pathlib import Path
from typing import Any

import pytest

from holdfast.bus.testing import RecordedJob
from holdfast.events.queries import Claim, ClaimRun
from holdfast.events.run import RunCompleted, RunStatus
from holdfast.events.work import ProbeRequested
from holdfast.kernel.errors import HoldfastError, NotFoundError
from support.executor import Bench, local_place, work_of


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    # Nothing here gets as far as restic.
    return Bench(tmp_path / "cache", restic=Path("/nowhere/restic"))


@pytest.fixture
def probe(bench: Bench, tmp_path: Path) -> Any:
    """Of a place that is not there: a failure without any server."""
    place = local_place(tmp_path / "gone")
    bench.knows(place)
    return work_of(ProbeRequested, place)


@pytest.mark.parametrize(
    ("claim", "fate"),
    [
        (Claim(granted=False, wait_seconds=7, reason="held"), ("again", 7)),
        (Claim(granted=False, reason="ended"), ("done", None)),
    ],
)
async def test_a_run_that_is_not_ours_is_left_alone(
    bench: Bench, probe: Any, claim: Claim, fate: Any
) -> None:
    bench.bus.answers[ClaimRun] = claim

    job = await bench.do(probe)

    assert job.fate == fate
    assert bench.bus.published == []


async def test_a_silent_catalog_is_asked_again(bench: Bench, probe: Any) -> None:
    bench.bus.answers.clear()

    job = await bench.do(probe)

    assert job.fate == ("again", 2.0)


async def test_a_catalog_with_a_fault_is_asked_less_often(bench: Bench, probe: Any) -> None:
    def fault(_: Any) -> Claim:
        raise HoldfastError("The database hiccups.")

    bench.bus.answers[ClaimRun] = fault

    job = await bench.do(probe)

    assert job.fate == ("again", 2.0)


async def test_a_run_that_nobody_knows_is_set_aside(bench: Bench, probe: Any) -> None:
    def unknown(_: Any) -> Claim:
        raise NotFoundError

    bench.bus.answers[ClaimRun] = unknown

    job = await bench.do(probe)

    assert job.fate == ("given up", "The catalog knows no such run.")


async def test_work_that_this_release_cannot_do_is_left_for_another(
    bench: Bench, probe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.executor.job.OPERATES", {})

    job = await bench.do(probe)

    assert job.fate == ("passed on", "This release knows no work of type 'probe.requested'.")
    assert bench.bus.asked == []


async def test_a_failure_is_an_outcome(bench: Bench, probe: Any) -> None:
    run = await bench.outcome(probe)

    assert run.status is RunStatus.FAILED
    assert run.failure is not None
    assert run.failure.code == "path_missing"
    assert run.failure.retryable
    assert run.claim == 1


async def test_the_message_is_kept_from_its_receipt(bench: Bench, probe: Any) -> None:
    job: RecordedJob = await bench.do(probe)

    assert job.kept >= 1


async def test_secrets_that_do_not_open_are_an_outcome(bench: Bench, probe: Any) -> None:
    bench.bus.answers[ClaimRun] = Claim(granted=True, claim=1, sealed_secrets=b"garbage")

    run = await bench.outcome(probe)

    assert run.failure is not None
    assert run.failure.code == "seal_broken"


async def test_a_fault_of_our_own_is_an_outcome_without_secrets(
    bench: Bench, tmp_path: Path
) -> None:
    place = local_place(tmp_path, password="hunter22-hunter22")
    (tmp_path / "homelab-backups").mkdir()
    (tmp_path / "homelab-backups" / "config").touch()
    bench.knows(place)

    class Broken:
        def start(self, program: Any) -> Any:
            raise RuntimeError("cannot start with hunter22-hunter22")

    object.__setattr__(bench.deps, "runner", Broken())
    run = await bench.outcome(work_of(ProbeRequested, place))

    assert run.failure is not None
    assert run.failure.code == "internal_error"
    assert "RuntimeError: cannot start with ••••" in run.failure.detail
    assert all("hunter22" not in repr(each) for each in bench.bus.published)


async def test_the_same_claim_tells_the_same_event(bench: Bench, probe: Any) -> None:
    await bench.do(probe)
    await bench.do(probe)

    first, second = bench.said(RunCompleted)
    assert first.event_id == second.event_id
