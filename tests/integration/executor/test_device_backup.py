"""Backups of what is on a device behind SSH: restic works there, by a real sshd."""

import asyncio
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from holdfast.devices.base import Program
from holdfast.devices.holders import Life, look
from holdfast.devices.host import Host
from holdfast.devices.ssh import SshRunner
from holdfast.events.restoring import RestoreMode
from holdfast.events.run import RunCompleted, RunProgress, RunStatus
from holdfast.events.snapshot import SnapshotCompleted
from holdfast.events.work import (
    BackupRequested,
    RestoreRequested,
)
from holdfast.executor.repositories import storage_of
from holdfast.kernel.clock import utc_now
from holdfast.restic.commands import ls, snapshots
from holdfast.restic.commands.ls import LsOptions
from support.devices import connected, cut, marked, nothing_marked
from support.executor import Bench, Place, backup_of, s3_place, until, work_of
from support.hosts import Pi
from support.servers import RcloneS3
from support.sshd import Sshd
from support.trees import differences, manifest

pytestmark = [pytest.mark.restic, pytest.mark.sftp]


@pytest.fixture
def pi(own_sshd: Sshd, tmp_path: Path, bench: Bench) -> Pi:
    return Pi(own_sshd, tmp_path / "pi").known_to(bench)


@pytest.fixture
def much(tmp_path: Path) -> Path:
    """More than is backed up in a moment."""
    folder = tmp_path / "much"
    folder.mkdir()
    for number in range(8):
        (folder / str(number)).write_bytes(os.urandom(40_000_000))
    return folder


def backup_on(pi: Pi, paths: list[Path], *places: Place) -> BackupRequested:
    return backup_of(paths, *places, device=pi.address, hostname="pi")


async def test_it_is_backed_up_there_to_every_kind_of_destination(
    bench: Bench, pi: Pi, place: Place, data: Path
) -> None:
    run = await bench.outcome(backup_on(pi, [data], place))

    assert run.status is RunStatus.SUCCESS, run.failure
    (made,) = bench.said(SnapshotCompleted)
    (snapshot,) = await snapshots.run(bench.restic(place))
    assert snapshot.id == made.restic_snapshot_id
    assert snapshot.hostname == "pi"
    async with ls.open_stream(bench.restic(place), LsOptions(snapshot=snapshot.id)) as nodes:
        listed = {node.path async for node in nodes}
    # What is no UTF-8 restic does not print as it is.
    assert {str(each) for each in data.rglob("*") if str(each).isprintable()} <= listed


async def test_nothing_readable_is_left_there(
    bench: Bench, pi: Pi, nas: Place, tmp_path: Path
) -> None:
    secret = "what the file says, which nobody may find"
    source = tmp_path / "source"
    source.mkdir()
    (source / "diary-of-mine").write_text(secret * 100)

    run = await bench.outcome(backup_on(pi, [source], nas))

    assert run.status is RunStatus.SUCCESS, run.failure
    left = pi.files()
    programs = [each for each in left if each.parent == pi.cache / "holdfast"]
    assert [each.name.split("-")[0] for each in programs] == ["restic"]
    others = set(left) - set(programs)
    below = pi.cache / "holdfast" / "repositories" / str(nas.id)
    assert others
    assert all(below in each.parents for each in others), others
    known = (secret, "diary-of-mine", nas.secrets.repo_password, pi.sshd.private_key)
    for each in others:
        content = each.read_bytes()
        assert not [word for word in known if word.encode() in content], each
    assert (pi.cache / "holdfast").stat().st_mode & 0o777 == 0o700


async def writing(bench: Bench, work: BackupRequested, task: asyncio.Task[Any]) -> None:
    """Until restic on the device has sent something."""
    await until(
        lambda: task.done() or any(each.bytes_done > 1_000_000 for each in bench.said(RunProgress)),
        what="it is being backed up",
    )
    assert not task.done(), bench.outcomes


@pytest.fixture
def cloud(s3_server: RcloneS3) -> Place:
    """A bucket, which the device reaches by itself."""
    return s3_place(s3_server, f"bucket-{uuid4().hex[:12]}")


@pytest.mark.parametrize("kind", ["relayed", pytest.param("direct", marks=pytest.mark.s3)])
async def test_a_cut_link_ends_restic_there_and_the_next_try_finishes(
    bench: Bench, pi: Pi, nas: Place, cloud: Place, much: Path, kind: str
) -> None:
    place = nas if kind == "relayed" else await bench.initialise(cloud)
    work = backup_on(pi, [much], place)
    async with bench.doing(work) as task:
        await writing(bench, work, task)
        assert marked(str(work.run_id))
        cut(pi.sshd)
        await task
    run = bench.outcomes[-1]
    assert isinstance(run, RunCompleted)
    assert run.failure is not None
    assert (run.failure.code, run.failure.retryable) == ("device_link_lost", True), run.failure
    await nothing_marked(str(work.run_id))

    again = await bench.outcome(backup_on(pi, [much], place))

    assert again.status is RunStatus.SUCCESS, again.failure
    assert len(await snapshots.run(bench.restic(place))) == 1
    assert await storage_of(place.address, place.secrets).list_locks() == ()


async def test_who_takes_over_ends_the_restic_that_was_left_there(
    bench: Bench, pi: Pi, nas: Place, data: Path
) -> None:
    """An executor that froze: its link is alive, and it is not."""
    work = backup_on(pi, [data], nas)
    async with connected(pi.sshd) as connection:
        left = Program(
            argv=("sh", "-c", "echo ready; while :; do sleep 0.1; done"), run_id=str(work.run_id)
        )
        async with SshRunner(connection).start(left) as process:
            assert await anext(process.lines()) == b"ready"
            host = Host(connection, restic="", cache="")

            assert await host.end_leftovers(str(work.run_id)) >= 1

            await nothing_marked(str(work.run_id))
            assert await process.wait() == -15
            assert await host.end_leftovers(str(work.run_id)) == 0


async def test_restics_there_are_seen_with_their_runs(pi: Pi, tmp_path: Path) -> None:
    run_id = uuid4().hex
    pretended = tmp_path / "restic-1"
    shutil.copy("/bin/sleep", pretended)
    async with connected(pi.sshd) as connection:
        host = Host(connection, restic="", cache="")
        program = Program(argv=(str(pretended), "60"), run_id=run_id)
        async with SshRunner(connection).start(program) as process:
            (pid,) = await until(lambda: marked(run_id), what="it runs")
            sight = await host.sight()
            assert sight.life_of(socket.gethostname(), pid, utc_now()) == (Life.ALIVE, run_id)
            await process.terminate()
        after = await host.sight()
    assert pid not in after.restics
    assert after.sees_all == look().sees_all
    assert after.hostname == socket.gethostname()


async def test_a_changed_host_key_is_refused_before_anything_is_sent(
    bench: Bench, pi: Pi, nas: Place, data: Path
) -> None:
    pi.sshd.stop()
    pi.sshd.new_host_key()
    pi.sshd.start()

    run = await bench.outcome(backup_on(pi, [data], nas))

    assert run.failure is not None
    assert (run.failure.code, run.failure.retryable) == ("host_key_changed", False)
    assert "Device pi" in run.failure.message
    assert pi.files() == []


async def test_a_device_that_was_never_tested_is_not_trusted(
    bench: Bench, pi: Pi, nas: Place, data: Path
) -> None:
    unknown = msgspec.structs.replace(pi.address, host_key="")

    run = await bench.outcome(backup_of([data], nas, device=unknown))

    assert run.failure is not None
    assert run.failure.code == "device_not_tested"


async def test_a_device_that_is_away_is_told_and_tried_again(
    bench: Bench, pi: Pi, nas: Place, data: Path
) -> None:
    pi.sshd.stop()

    run = await bench.outcome(backup_on(pi, [data], nas))

    assert run.failure is not None
    assert run.failure.retryable
    assert "Device pi" in run.failure.message


async def test_paths_are_looked_for_there(
    bench: Bench, pi: Pi, nas: Place, data: Path, tmp_path: Path
) -> None:
    gone = await bench.outcome(backup_on(pi, [tmp_path / "it's gone"], nas))
    some = await bench.outcome(backup_on(pi, [tmp_path / "it's gone", data], nas))

    assert gone.failure is not None
    assert gone.failure.code == "source_missing"
    assert some.status is RunStatus.PARTIAL


async def test_a_server_that_forwards_nothing_is_told(
    bench: Bench, pi: Pi, nas: Place, data: Path
) -> None:
    pi.sshd.stop()
    pi.sshd.options = "AllowTcpForwarding no\n"
    pi.sshd.start()

    run = await bench.outcome(backup_on(pi, [data], nas))

    assert run.failure is not None
    assert run.failure.code == "forwarding_refused"


async def test_a_full_disk_there_is_told(bench: Bench, pi: Pi, nas: Place, data: Path) -> None:
    """No room for our restic."""
    if os.getuid() != 0:
        pytest.skip("only root can mount a small disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", pi.cache], check=True)
    try:
        run = await bench.outcome(backup_on(pi, [data], nas))
        left = [each for each in pi.cache.rglob("*") if each.is_file()]
    finally:
        subprocess.run(["umount", pi.cache], check=True)

    assert run.failure is not None
    assert run.failure.code == "device_full"
    assert left == []


async def test_it_is_restored_there_and_never_onto_what_is_there(
    bench: Bench, pi: Pi, nas: Place, data: Path, tmp_path: Path
) -> None:
    await bench.outcome(backup_on(pi, [data], nas))
    (made,) = bench.said(SnapshotCompleted)
    target = tmp_path / "it's back"

    def restore(**fields: Any) -> RestoreRequested:
        wanted: RestoreRequested = work_of(
            RestoreRequested,
            nas,
            restic_snapshot_id=made.restic_snapshot_id,
            target_path=str(target),
            device=pi.address,
            **fields,
        )
        return wanted

    run = await bench.outcome(restore())
    assert run.status is RunStatus.SUCCESS, run.failure
    back = target / str(data)[1:]
    assert differences(manifest(data), manifest(back)) == []

    changed = back / "secret"
    changed.write_text("mine")
    refused = await bench.outcome(restore())
    assert refused.failure is not None
    assert refused.failure.code == "would_overwrite"
    assert changed.read_text() == "mine"

    assert (await bench.outcome(restore(mode=RestoreMode.ALWAYS))).status is RunStatus.SUCCESS
    assert changed.read_text() != "mine"
    shutil.rmtree(target)
    target.write_text("a file")
    unusable = await bench.outcome(restore())
    assert unusable.failure is not None
    assert unusable.failure.code == "target_unusable"
