"""Apps that are stopped or paused for a backup, on a real Docker engine; and come back."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast.events.consistency import Consistency, Hook, HookKind, Quiet, When
from holdfast.events.run import BackupResult, RunCompleted, RunStatus
from holdfast.events.snapshot import SnapshotCompleted
from holdfast.restic.commands import dump
from holdfast.restic.commands.dump import DumpOptions
from support.dockerd import Dockerd
from support.executor import Bench, Place, backup_of, until

pytestmark = [pytest.mark.restic, pytest.mark.docker]


@pytest.fixture
def bench(docker_bench: Bench) -> Bench:
    return docker_bench


@pytest.fixture
def device(docker_device: dict[str, Any]) -> dict[str, Any]:
    """The field of a backup that says where the app is."""
    return docker_device


@pytest.fixture
def app(engine: Dockerd, tmp_path: Path) -> Path:
    """Two containers that write down when they start and when they end in order; their files."""
    files = tmp_path / "files"
    files.mkdir()
    for name in ("db", "web"):
        told = f"echo {name}-up >> /files/log; trap 'echo {name}-down >> /files/log; exit' TERM; "
        engine.started(name, "-v", f"{files}:/files", command=told + "while :; do sleep 0.1; done")
    return files


def quiet(how: Quiet, *hooks: Hook) -> Consistency:
    return Consistency(containers=("db", "web"), quiet=how, hooks=hooks)


def told_by(run: RunCompleted) -> list[str]:
    assert isinstance(run.result, BackupResult)
    return [each.name for each in run.result.steps]


async def in_snapshot(bench: Bench, place: Place, path: Path) -> str:
    (made,) = bench.said(SnapshotCompleted)
    options = DumpOptions(snapshot=made.restic_snapshot_id, path=str(path))
    async with dump.open_stream(bench.restic(place), options) as chunks:
        return b"".join([chunk async for chunk in chunks]).decode()


async def test_what_needs_others_stops_first_and_comes_back_last(
    bench: Bench, device: dict[str, Any], engine: Dockerd, app: Path, nas: Place
) -> None:
    await until(lambda: (app / "log").read_text().count("up") == 2, what="both are up")
    before = (app / "log").read_text()

    run = await bench.outcome(backup_of([app], nas, consistency=quiet(Quiet.STOP), **device))

    assert run.status is RunStatus.SUCCESS, run.failure
    assert await in_snapshot(bench, nas, app / "log") == f"{before}web-down\ndb-down\n"
    await until(lambda: (app / "log").read_text().count("up") == 4, what="both are up again")
    assert (app / "log").read_text().endswith("db-down\ndb-up\nweb-up\n")
    assert [each.split()[0] for each in told_by(run)] == ["stop", "stop", "start", "start"]


async def test_a_paused_app_stands_still_and_goes_on(
    bench: Bench, device: dict[str, Any], engine: Dockerd, app: Path, nas: Place, tmp_path: Path
) -> None:
    (tmp_path / "much").write_bytes(os.urandom(200_000_000))
    work = backup_of([app, tmp_path / "much"], nas, consistency=quiet(Quiet.PAUSE), **device)
    async with bench.doing(work) as task:
        await until(
            lambda: task.done() or {engine.state("db"), engine.state("web")} == {"paused"},
            what="they are paused",
        )
        assert not task.done(), bench.outcomes
        await task

    assert isinstance(bench.outcomes[-1], RunCompleted)
    assert bench.outcomes[-1].status is RunStatus.SUCCESS
    assert {engine.state("db"), engine.state("web")} == {"running"}


async def test_what_did_not_run_is_not_started(
    bench: Bench, engine: Dockerd, app: Path, nas: Place
) -> None:
    engine.docker("stop", "web")

    run = await bench.outcome(backup_of([app], nas, consistency=quiet(Quiet.STOP)))

    assert run.status is RunStatus.SUCCESS
    assert (engine.state("db"), engine.state("web")) == ("running", "exited")


async def test_a_backup_that_fails_brings_the_app_back(
    bench: Bench, device: dict[str, Any], engine: Dockerd, app: Path, nas: Place, tmp_path: Path
) -> None:
    run = await bench.outcome(
        backup_of([tmp_path / "gone"], nas, consistency=quiet(Quiet.STOP), **device)
    )

    assert run.failure is not None
    assert run.failure.code == "source_missing"
    assert {engine.state("db"), engine.state("web")} == {"running"}


async def test_a_container_that_is_not_there_ends_the_run_before_anything_is_stopped(
    bench: Bench, engine: Dockerd, app: Path, nas: Place
) -> None:
    wanted = Consistency(containers=("db", "nobody"), quiet=Quiet.STOP)

    run = await bench.outcome(backup_of([app], nas, consistency=wanted))

    assert run.failure is not None
    assert run.failure.code == "container_missing"
    assert engine.state("db") == "running"
    assert "db-down" not in (app / "log").read_text()


async def test_a_hook_runs_in_a_container(
    bench: Bench, device: dict[str, Any], engine: Dockerd, app: Path, nas: Place
) -> None:
    hook = Hook(
        when=When.BEFORE, kind=HookKind.CONTAINER, container="db", command="echo hook >> /files/log"
    )

    run = await bench.outcome(backup_of([app], nas, consistency=quiet(Quiet.RUN, hook), **device))

    assert run.status is RunStatus.SUCCESS, run.result
    assert "hook\n" in await in_snapshot(bench, nas, app / "log")


STOPS = """
import asyncio, os, sys, uuid
from pathlib import Path
from types import SimpleNamespace
from holdfast.devices.local import LocalRunner
from holdfast.events.consistency import Quiet
from holdfast.executor.consistency.quiet import at_rest
from holdfast.kernel.clock import utc_now

async def main(cache, run_id, how):
    attempt = SimpleNamespace(
        deps=SimpleNamespace(
            runner=LocalRunner(), cache=Path(cache), now=utc_now, app_lease_seconds=4
        ),
        work=SimpleNamespace(run_id=run_id), claim=SimpleNamespace(claim=1), host=None,
        all_secrets=list,
    )
    async with at_rest(attempt, ["db", "web"], Quiet(how), []):
        print("at rest", flush=True)
        await asyncio.sleep(float(sys.argv[4]))

asyncio.run(main(*sys.argv[1:4]))
"""


@asynccontextmanager
async def stopping(
    docker: Dockerd, cache: Path, how: str, seconds: str
) -> AsyncIterator[subprocess.Popen[str]]:
    """A process of its own that has brought the app to rest."""
    environ = {**os.environ, "PATH": f"{docker.bin}:{os.environ['PATH']}"}
    process = subprocess.Popen(
        [sys.executable, "-c", STOPS, cache, "run-1", how, seconds],
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        try:
            assert await asyncio.to_thread(process.stdout.readline) == "at rest\n"
            yield process
        finally:
            process.kill()
            await asyncio.to_thread(process.wait)


@pytest.mark.parametrize("how", ["stop", "pause"])
async def test_the_app_comes_back_though_who_stopped_it_is_killed(
    engine: Dockerd, app: Path, tmp_path: Path, how: str
) -> None:
    async with stopping(engine, tmp_path / "cache", how, "600") as process:
        assert {engine.state("db"), engine.state("web")} == {
            "exited" if how == "stop" else "paused"
        }
        process.send_signal(signal.SIGKILL)

    await until(
        lambda: {engine.state("db"), engine.state("web")} == {"running"}, what="they are back"
    )


async def test_an_app_stays_at_rest_while_who_stopped_it_lives(
    engine: Dockerd, app: Path, tmp_path: Path
) -> None:
    """For three times as long as the lease."""
    async with stopping(engine, tmp_path / "cache", "stop", "12") as process:
        start, seen = time.monotonic(), set[str]()
        while time.monotonic() - start < 11:
            seen |= {engine.state("db"), engine.state("web")}
        assert seen == {"exited"}
        assert await asyncio.to_thread(process.wait) == 0
    assert {engine.state("db"), engine.state("web")} == {"running"}


async def test_one_that_is_stopped_too_late_comes_back_too(
    engine: Dockerd, app: Path, tmp_path: Path
) -> None:
    """The lease has run out already when what was asked before reaches the engine."""
    async with stopping(engine, tmp_path / "cache", "stop", "600") as process:
        process.send_signal(signal.SIGKILL)
    await until(
        lambda: {engine.state("db"), engine.state("web")} == {"running"}, what="they are back"
    )

    engine.docker("stop", "web")

    await until(lambda: engine.state("web") == "running", what="it is back again")
