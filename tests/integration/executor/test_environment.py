"""The environment of containers is in the backup, and nowhere else."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.devices.local import LocalRunner
from holdfast.events.run import RunStatus
from holdfast.events.snapshot import SnapshotCompleted
from holdfast.events.work import ForgetAdmitted
from holdfast.executor.attempt import notes_in
from holdfast.executor.consistency.environment import FILE, Environments
from holdfast.kernel.clock import utc_now
from holdfast.kernel.ids import new_id
from holdfast.restic.commands import dump, snapshots
from holdfast.restic.commands.dump import DumpOptions
from holdfast.restic.commands.snapshots import SnapshotsOptions
from holdfast.restic.tags import DUMP
from support.dockerd import Dockerd
from support.executor import Bench, Place, backup_of
from support.hosts import Pi
from support.sshd import Sshd

pytestmark = [pytest.mark.docker, pytest.mark.restic]

SECRET = "hunter2-correct-horse"


@pytest.fixture
def web(engine: Dockerd, tmp_path: Path) -> Path:
    """A container with a secret, and a directory of its files."""
    files = tmp_path / "site"
    files.mkdir()
    (files / "index.html").write_text("welcome")
    engine.started("web", "-e", f"SECRET={SECRET}", "-v", f"{files}:/site")
    return files


@pytest.fixture
def here(tmp_path: Path, docker: Dockerd) -> Bench:
    """Its engine is the tests' own."""
    cache = tmp_path / "cache"
    environ = {**os.environ, "DOCKER_HOST": f"unix://{docker.run}/sock"}
    return Bench(cache, runner=LocalRunner(environ, notes=notes_in(cache)))


@pytest.fixture(params=["here", pytest.param("device", marks=pytest.mark.sftp)])
def where(
    request: pytest.FixtureRequest, here: Bench, docker: Dockerd, tmp_path: Path
) -> dict[str, Any]:
    """The field of a backup that says where the app is."""
    if request.param == "here":
        return {}
    own: Sshd = request.getfixturevalue("own_sshd")
    pi = Pi(own, tmp_path / "pi").known_to(here)
    own.stop()
    own.environment += (f"DOCKER_HOST=unix://{docker.run}/sock",)
    own.start()
    return {"device": pi.address}


async def test_it_is_in_a_snapshot_of_its_own_and_goes_with_that_of_the_files(
    here: Bench, nas: Place, web: Path, where: dict[str, Any], tmp_path: Path
) -> None:
    here.knows(nas)
    work = backup_of([web], nas, environment_of=("web",), **where)

    run = await here.outcome(work)

    assert run.status is RunStatus.SUCCESS, run.failure
    restic = here.restic(nas)
    found = await snapshots.run(restic, SnapshotsOptions())
    (beside,) = (each for each in found if DUMP in each.tags)
    (made,) = (each for each in found if DUMP not in each.tags)
    async with dump.open_stream(restic, DumpOptions(snapshot=beside.id, path=f"/{FILE}")) as stream:
        content = b"".join([chunk async for chunk in stream])
    (kept,) = msgspec.json.decode(content, type=Environments).containers
    assert (kept.container, kept.image) == ("web", "lab:1")
    assert f"SECRET={SECRET}" in kept.environment
    assert SECRET.encode() not in msgspec.json.encode(here.bus.published)
    for folder in (tmp_path / "nas", tmp_path / "cache", tmp_path / "pi"):
        for each in folder.rglob("*"):
            assert not each.is_file() or SECRET.encode() not in each.read_bytes(), each

    forget = ForgetAdmitted(
        event_id=new_id(), occurred_at=utc_now(), run_id=new_id(), site="main",
        configuration_id=work.configuration_id, address=nas.address,
        restic_snapshot_ids=(made.id,),
    )  # fmt: skip
    assert (await here.outcome(forget)).status is RunStatus.SUCCESS
    assert await snapshots.run(restic, SnapshotsOptions()) == ()


async def test_without_it_the_files_are_kept_and_the_lack_is_told(
    here: Bench, nas: Place, web: Path
) -> None:
    here.knows(nas)

    run = await here.outcome(backup_of([web], nas, environment_of=("web", "gone")))

    assert run.status is RunStatus.PARTIAL
    (told,) = here.said(SnapshotCompleted)
    assert (told.unreadable_files, told.unreadable_count) == (("environment of gone",), 1)


async def test_an_engine_that_is_away_costs_no_files(tmp_path: Path, nas: Place, web: Path) -> None:
    environ = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/none"}
    bench = Bench(tmp_path / "cache", runner=LocalRunner(environ)).knows(nas)

    run = await bench.outcome(backup_of([web], nas, environment_of=("no such container",)))

    assert run.status is RunStatus.PARTIAL
    assert run.failure is not None
    assert "environment of no such container" in run.failure.message
