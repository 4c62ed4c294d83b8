"""Locks that are not ours, planted by real restics: none that lives is ever removed."""

import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import msgspec
import pytest

from holdfast.bus.testing import RecordedJob
from holdfast.devices.holders import look
from holdfast.events.queries import Claim, ClaimRun, ReleaseClaim, Released
from holdfast.events.run import Operation, RunStatus
from holdfast.events.work import ForgetAdmitted
from holdfast.executor.attempt import Attempt
from holdfast.executor.hold import Hold
from holdfast.executor.locks import clear_dead
from holdfast.executor.progress import Progress
from holdfast.kernel.clock import utc_now
from holdfast.kernel.ids import new_id
from holdfast.storage.base import LOCK_NAME
from support.executor import Bench, Place, backup_of, local_place, until, work_of
from support.locks import forged_lock

pytestmark = pytest.mark.restic

TRIALS = 200
NO_SNAPSHOT = "a" * 64


def can_rename_host() -> bool:
    done = subprocess.run(["unshare", "--uts", "true"], capture_output=True, check=False)
    return done.returncode == 0


def forget_of(place: Place) -> Any:
    return work_of(
        ForgetAdmitted, place, configuration_id=new_id(), restic_snapshot_ids=(NO_SNAPSHOT,)
    )


@asynccontextmanager
async def foreign(bench: Bench, place: Place, host: str = "") -> AsyncIterator[int]:
    """A restic that somebody else runs, at work for as long as the block lasts: its pid.

    It reads from a pipe that stays open.  With *host* it believes to be on that one.
    """
    before = len(lock_files(place))
    script = f'hostname "{host}" && exec "$@"' if host else 'exec "$@"'
    argv = ["unshare", "--uts", "--"] if host else []
    restic = [str(bench.deps.restic), "-r", place.address.local_path, "--no-cache", "backup"]
    process = subprocess.Popen(
        [*argv, "sh", "-c", script, "sh", *restic, "--stdin", "--host", "somebody"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "RESTIC_PASSWORD": place.secrets.repo_password},
    )
    try:
        await until(lambda: len(lock_files(place)) > before, what="the foreign lock is there")
        yield process.pid
    finally:
        process.kill()
        process.communicate()


def lock_files(place: Place) -> list[Path]:
    """Without the one that restic is still writing."""
    return [each for each in place.files("locks") if LOCK_NAME.fullmatch(each.name)]


def attempt_of(bench: Bench, place: Place) -> Attempt:
    """As a run has it in its hands."""
    work = forget_of(place)
    hold = Hold(
        bench.bus,
        work.run_id,
        1,
        lasts_seconds=60,
        held_since=bench.deps.monotonic(),
        monotonic=bench.deps.monotonic,
    )
    return Attempt(
        deps=bench.deps,
        work=work,
        claim=Claim(granted=True, claim=1),
        secrets={place.id: place.secrets},
        hold=hold,
        progress=Progress(bench.bus, bench.deps.now, work.run_id, Operation.FORGET),
        started_at=utc_now(),
    )


@pytest.mark.skipif(not can_rename_host(), reason="needs the right to set a host name")
async def test_a_living_lock_of_another_host_is_never_removed(bench: Bench, nas: Place) -> None:
    async with foreign(bench, nas, host="laptop"):
        (planted,) = lock_files(nas)
        for _ in range(TRIALS):
            left = await clear_dead(attempt_of(bench, nas), nas.address)
            assert [each.lock.hostname for each in left] == ["laptop"]
            assert nas.files("locks") == [planted]


async def test_a_living_lock_of_this_host_is_not_removed_nor_is_a_stopped_one(
    bench: Bench, nas: Place
) -> None:
    async with foreign(bench, nas) as pid:
        os.kill(pid, signal.SIGSTOP)
        (held,) = await clear_dead(attempt_of(bench, nas), nas.address)

        assert held.lock.pid == pid
        assert held.run_id == ""
        assert nas.files("locks")


async def test_an_old_lock_of_another_host_is_not_removed(bench: Bench, nas: Place) -> None:
    """restic's own unlock would."""
    (planted,) = await plant(bench, nas, host="laptop", age=timedelta(days=7))

    run = await bench.outcome(forget_of(nas))

    assert run.failure is not None
    assert run.failure.code == "repository_locked"
    assert "on laptop since" in run.failure.message
    assert nas.files("locks") == [planted]


async def test_the_lock_of_a_pid_that_another_program_has_now_is_removed(
    bench: Bench, nas: Place
) -> None:
    if not look().sees_all:
        pytest.skip("a container cannot prove it")
    await plant(bench, nas, host=look().hostname, pid=os.getpid())

    run = await bench.outcome(forget_of(nas))

    assert run.status is RunStatus.SUCCESS, run.failure
    assert nas.files("locks") == []


async def test_a_locked_run_waits_in_the_queue_and_says_for_whom(bench: Bench, nas: Place) -> None:
    bench = with_patience(bench)
    released: list[ReleaseClaim] = []
    bench.bus.answers[ReleaseClaim] = lambda query: released.append(query) or Released(held=True)
    async with foreign(bench, nas) as pid:
        job: RecordedJob = await bench.do(forget_of(nas))

    assert job.fate == ("done", None)
    assert bench.outcomes == []
    (query,) = released
    assert query.waiting_for.startswith(f"Locked by pid {pid} on ")
    assert query.wait_seconds <= 30


async def test_who_has_waited_too_long_fails_and_names_the_holder(bench: Bench, nas: Place) -> None:
    bench = with_patience(bench)
    grant = bench.bus.answers[ClaimRun]
    since = utc_now() - timedelta(hours=1)
    bench.bus.answers[ClaimRun] = lambda query: msgspec.structs.replace(
        grant(query), waiting_since=since
    )
    async with foreign(bench, nas) as pid:
        run = await bench.outcome(forget_of(nas))

    assert run.status is RunStatus.FAILED
    assert run.failure is not None
    assert run.failure.retryable
    assert f"pid {pid}" in run.failure.message
    assert "more than 60 minutes" in run.failure.message
    assert "locked" in run.failure.detail


async def test_shared_work_goes_on_beside_a_foreign_lock(
    bench: Bench, nas: Place, data: Path
) -> None:
    async with foreign(bench, nas):
        run = await bench.outcome(backup_of([data], nas))

    assert run.status is RunStatus.SUCCESS, run.failure


async def test_a_backup_waits_for_one_destination_after_the_others_had_their_turn(
    bench: Bench, nas: Place, data: Path, tmp_path: Path, made_once: Place
) -> None:
    other = local_place(tmp_path / "other", password=made_once.secrets.repo_password)
    copytree(made_once.address.local_path, other.address.local_path)
    bench = with_patience(bench).knows(other)
    bench.bus.answers[ReleaseClaim] = Released(held=True)
    await plant(bench, nas, host="laptop", exclusive=True)

    job = await bench.do(backup_of([data], nas, other))

    assert job.fate == ("done", None)
    assert len(other.files("snapshots")) == 1
    assert [type(each).__name__ for each in bench.outcomes] == ["SnapshotCompleted"]


async def test_a_living_run_of_ours_is_named(bench: Bench, nas: Place, tmp_path: Path) -> None:
    endless = tmp_path / "zeros"
    with endless.open("wb") as file:
        file.truncate(400 * 1024**3)
    work = backup_of([endless], nas)
    async with bench.doing(work):
        await until(lambda: lock_files(nas), what="the run is at work")
        (held,) = await clear_dead(attempt_of(bench, nas), nas.address)

    assert held.run_id == str(work.run_id)


def with_patience(bench: Bench) -> Bench:
    object.__setattr__(bench.deps, "lock_wait", timedelta(hours=1))
    return bench


async def plant(
    bench: Bench,
    place: Place,
    *,
    host: str,
    pid: int = 4_000_000,
    age: timedelta = timedelta(),
    exclusive: bool = False,
) -> list[Path]:
    """A lock as restic would have written it."""
    return [
        await forged_lock(
            bench.restic(place),
            place.address.local_path,
            host=host,
            pid=pid,
            time=utc_now() - age,
            exclusive=exclusive,
        )
    ]
