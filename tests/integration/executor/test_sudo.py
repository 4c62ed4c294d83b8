"""A device where we are nobody in particular, and sudo makes us root: a real sudo."""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast.events.run import DeviceProbeResult, RunProgress, RunStatus
from holdfast.events.snapshot import SnapshotCompleted
from holdfast.events.work import BackupRequested, DeviceProbeRequested, RestoreRequested
from holdfast.kernel.clock import utc_now
from holdfast.kernel.ids import new_id
from holdfast.restic.commands import snapshots
from holdfast.storage.relay import USER
from support.devices import nothing_marked
from support.executor import Bench, Place, backup_of, until, work_of
from support.hosts import Pi
from support.people import Person, can_be_somebody
from support.sshd import Sshd
from support.trees import differences, manifest

pytestmark = [
    pytest.mark.restic,
    pytest.mark.sftp,
    pytest.mark.skipif(can_be_somebody() != "", reason=can_be_somebody()),
]

UNASKED = f"{Person.name} ALL=(root) NOPASSWD: ALL"


@pytest.fixture
def person() -> Iterator[Person]:
    # Not below pytest's own directory, which the next pytest closes to others.
    root = Path(tempfile.mkdtemp(prefix="hf-person-"))
    yield Person(root, sudoers=UNASKED)
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def pi(own_sshd: Sshd, person: Person, bench: Bench) -> Pi:
    own_sshd.before, own_sshd.user = person.entered, person.name
    own_sshd.data = person.home.parent / "sshd"
    pi = Pi(own_sshd, person.home / "pi")
    pi.address = replace(pi.address, sudo=True)
    return pi.known_to(bench)


@pytest.fixture
def closed(data: Path) -> Path:
    """Files that only root can read."""
    data.chmod(0o700)
    return data


def backup_on(pi: Pi, paths: list[Path], place: Place) -> BackupRequested:
    return backup_of(paths, place, device=pi.address, hostname="pi")


async def test_what_only_root_may_read_is_backed_up_and_restored(
    bench: Bench, pi: Pi, nas: Place, closed: Path, tmp_path: Path
) -> None:
    run = await bench.outcome(backup_on(pi, [closed], nas))

    assert run.status is RunStatus.SUCCESS, run.failure
    (made,) = bench.said(SnapshotCompleted)
    target = tmp_path / "back"
    restored = await bench.outcome(
        work_of(
            RestoreRequested,
            nas,
            restic_snapshot_id=made.restic_snapshot_id,
            target_path=str(target),
            device=pi.address,
        )
    )
    assert restored.status is RunStatus.SUCCESS, restored.failure
    assert differences(manifest(closed), manifest(target / str(closed)[1:])) == []


async def test_without_it_they_are_not_read(bench: Bench, pi: Pi, nas: Place, closed: Path) -> None:
    pi.address = replace(pi.address, sudo=False)

    run = await bench.outcome(backup_on(pi, [closed], nas))

    assert run.status is not RunStatus.SUCCESS


@pytest.mark.parametrize(
    "sudoers", ["", f"{Person.name} ALL=(root) ALL"], ids=["not a sudoer", "asked for a password"]
)
async def test_where_it_is_refused_nothing_is_done(
    bench: Bench, pi: Pi, person: Person, nas: Place, closed: Path, sudoers: str
) -> None:
    person.allow(sudoers)
    pi.sshd.stop()
    pi.sshd.start()
    probe = DeviceProbeRequested(
        event_id=new_id(), occurred_at=utc_now(), run_id=new_id(), site="main", device=pi.address
    )

    backup = await bench.outcome(backup_on(pi, [closed], nas))
    probed = await bench.outcome(probe)

    for run in (backup, probed):
        assert run.failure is not None
        assert (run.failure.code, run.failure.retryable) == ("sudo_refused", False)
        assert "NOPASSWD" in run.failure.guidance
    assert pi.files() == []
    assert await snapshots.run(bench.restic(nas)) == ()


async def test_a_test_of_the_device_says_that_we_are_root(bench: Bench, pi: Pi) -> None:
    """Though sudo has something to say of the machine's name first."""
    probe = DeviceProbeRequested(
        event_id=new_id(), occurred_at=utc_now(), run_id=new_id(), site="main", device=pi.address
    )
    run = await bench.outcome(probe)

    assert run.status is RunStatus.SUCCESS, run.failure
    assert isinstance(run.result, DeviceProbeResult)
    assert (run.result.user, run.result.is_root) == ("root", True)


def shown(run_id: str) -> set[bytes]:
    """What anybody sees of the run's programs, and root of their environment."""
    found: set[bytes] = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            told = {(process / each).read_bytes() for each in ("cmdline", "environ")}
            if any(run_id.encode() in each for each in told):
                found |= told
    return found


async def test_no_secret_is_in_its_log_or_an_argument(
    bench: Bench, pi: Pi, person: Person, nas: Place, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "much").write_bytes(os.urandom(60_000_000))
    work = backup_on(pi, [source], nas)
    seen: set[bytes] = set()

    async with bench.doing(work) as task:
        while not task.done():
            seen |= shown(str(work.run_id))
            await asyncio.sleep(0.05)

    assert bench.said(SnapshotCompleted)
    log = person.log.read_bytes()
    assert b"restic" in log
    assert any(each.startswith(b"sudo\0") for each in seen)
    assert any(b"\0backup\0" in each for each in seen)
    for each in (log, *seen):
        assert nas.secrets.repo_password.encode() not in each
        assert f"{USER}:".encode() not in each  # what the relay's address would begin with


async def test_a_cut_link_ends_what_runs_as_root(
    bench: Bench, pi: Pi, nas: Place, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(8):
        (source / str(number)).write_bytes(os.urandom(40_000_000))
    work = backup_on(pi, [source], nas)

    async with bench.doing(work) as task:
        await until(
            lambda: task.done() or any(each.bytes_done > 0 for each in bench.said(RunProgress)),
            what="it is being backed up",
        )
        assert not task.done(), bench.outcomes
        for pid in pi.sshd.sessions():
            with contextlib.suppress(OSError):
                if b"sshd" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)
        await task

    await nothing_marked(str(work.run_id))
