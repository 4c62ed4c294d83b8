"""A device whose disk is full, before a backup and in the midst of one: small disks of memory."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.events.run import RunCompleted, RunStatus
from holdfast.executor.repositories import storage_of
from holdfast.restic.commands import snapshots
from support.executor import Bench, Place, backup_of
from support.hosts import Pi
from support.sshd import Sshd

pytestmark = [
    pytest.mark.restic,
    pytest.mark.sftp,
    pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk"),
]


@pytest.fixture
def pi(own_sshd: Sshd, tmp_path: Path, bench: Bench) -> Pi:
    return Pi(own_sshd, tmp_path / "pi").known_to(bench)


@pytest.fixture
def much(tmp_path: Path) -> Path:
    folder = tmp_path / "much"
    folder.mkdir()
    (folder / "file").write_bytes(os.urandom(60_000_000))
    return folder


@contextmanager
def disk(path: Path, size: str) -> Iterator[None]:
    """A disk of its own at *path*."""
    path.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)


def fill(path: Path) -> Path:
    """A file that takes all that is left."""
    ballast = path / "ballast"
    free = os.statvfs(path)
    ballast.write_bytes(b"x" * (free.f_bavail * free.f_frsize))
    return ballast


def told_that_it_is_full(run: RunCompleted, where: Path) -> None:
    assert run.failure is not None
    assert (run.failure.code, run.failure.retryable) == ("device_full", False), run.failure
    assert str(where) in run.failure.message
    assert "Free some space there" in run.failure.guidance


async def test_no_room_for_what_restic_packs(bench: Bench, pi: Pi, nas: Place, much: Path) -> None:
    """In mid-backup: the first packs fit."""
    work = backup_of([much], nas, device=pi.address)
    with disk(pi.temporary, "20m"):
        run = await bench.outcome(work)
        left = list(pi.temporary.iterdir())

    told_that_it_is_full(run, pi.temporary)
    assert left == []
    assert await snapshots.run(bench.restic(nas)) == ()
    assert await storage_of(nas.address, nas.secrets).list_locks() == ()

    again = await bench.outcome(backup_of([much], nas, device=pi.address))
    assert again.status is RunStatus.SUCCESS, again.failure


async def test_no_room_for_restics_cache(bench: Bench, pi: Pi, nas: Place, much: Path) -> None:
    home = pi.cache / "holdfast"
    with disk(pi.cache, "200m"):
        first = await bench.outcome(backup_of([much], nas, device=pi.address))
        assert first.status is RunStatus.SUCCESS, first.failure
        for each in (home / "repositories").rglob("*"):
            if each.is_file():
                each.unlink()
        ballast = fill(pi.cache)
        full = await bench.outcome(backup_of([much], nas, device=pi.address))
        ballast.unlink()
        again = await bench.outcome(backup_of([much], nas, device=pi.address))

    told_that_it_is_full(full, home)
    assert again.status is RunStatus.SUCCESS, again.failure
    assert len(await snapshots.run(bench.restic(nas))) == 2


@pytest.mark.parametrize(("how", "says"), [("ro", "Read-only"), ("noexec", "")])
async def test_no_place_for_restic(
    bench: Bench, pi: Pi, nas: Place, much: Path, how: str, says: str
) -> None:
    with disk(pi.cache, "200m"):
        subprocess.run(["mount", "-o", f"remount,{how}", pi.cache], check=True)
        run = await bench.outcome(backup_of([much], nas, device=pi.address))

    assert run.failure is not None
    assert (run.failure.code, run.failure.retryable) == ("program_not_placed", False)
    assert says in run.failure.detail
    assert "XDG_CACHE_HOME" in run.failure.guidance
