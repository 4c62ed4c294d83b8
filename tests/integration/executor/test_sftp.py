"""restic over SFTP by the bridge: what a server that goes away does, and what nobody may see."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from holdfast.devices.local import LocalRunner
from holdfast.events.run import InitResult, RunStatus
from holdfast.events.work import ForgetAdmitted, ProbeRequested
from holdfast.kernel.ids import new_id
from holdfast.kernel.secret import Secret
from holdfast.restic import Repository, Restic, SftpAccess
from holdfast.restic.commands import backup, init, snapshots
from holdfast.restic.commands.backup import BackupOptions
from holdfast.restic.errors import AccessDeniedError, ResticError, UnreachableError
from holdfast.storage.base import SftpTarget
from holdfast.storage.registry import open_backend
from holdfast.storage.sftp_ticket import COMMAND, ENVIRONMENT, TICKET, ticket_of
from support.executor import Bench, Place, backup_of, init_of, sftp_place, until, work_of
from support.sshd import PasswordServer, Sshd

OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHgJ5OGwpE/Qk/nx4c7syn8ADmoOIZKtGr4+SJilxCyl"

pytestmark = [pytest.mark.restic, pytest.mark.sftp]


@pytest.fixture
def synology(bench: Bench, own_sshd: Sshd, made_once: Place, tmp_path: Path) -> Place:
    """A repository on a server of the test's own."""
    (tmp_path / "nas").mkdir()
    place = sftp_place(own_sshd.start(), tmp_path / "nas")
    shutil.copytree(made_once.address.local_path, place.address.sftp_path)
    place.address = replace(
        place.address,
        repository_id=made_once.address.repository_id,
        config_digest=made_once.address.config_digest,
        sftp_host_key=own_sshd.host_key,
    )
    place.secrets = replace(place.secrets, repo_password=made_once.secrets.repo_password)
    bench.knows(place)
    return place


@pytest.fixture
def much(tmp_path: Path) -> Path:
    """More than is backed up in a moment."""
    folder = tmp_path / "much"
    folder.mkdir()
    for number in range(6):
        (folder / str(number)).write_bytes(os.urandom(40_000_000))
    return folder


@pytest.fixture
def password_server(tmp_path: Path) -> Iterator[PasswordServer]:
    server = PasswordServer(tmp_path / "root").start()
    yield server
    server.stop()


def processes_of(run_id: object) -> list[int]:
    """Those with the run's mark: restic, and the bridge that it started."""
    mark = f"HOLDFAST_RUN={run_id}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


async def writing(place: Place, task: asyncio.Task[Any]) -> None:
    """Until the backup that *task* makes has begun to write."""
    before = len(place.files("data"))
    await until(lambda: len(place.files("data")) > before or task.done(), seconds=90)
    assert not task.done(), task.result()


def started_at(pid: int) -> int:
    """In ticks since the machine's start."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


async def test_the_first_host_key_is_pinned_and_told(
    bench: Bench, sshd: Sshd, tmp_path: Path
) -> None:
    (tmp_path / "nas").mkdir()
    place = sftp_place(sshd, tmp_path / "nas")
    bench.knows(place)

    run = await bench.outcome(init_of(place))

    assert isinstance(run.result, InitResult), run.failure
    assert run.result.host_key == sshd.host_key
    assert run.result.host_key_fingerprint == sshd.fingerprint
    assert run.result.free_bytes
    assert (tmp_path / "nas" / "homelab-backups" / "config").exists()


async def test_a_wanted_host_key_that_is_not_there_leaves_nothing(
    bench: Bench, sshd: Sshd, tmp_path: Path
) -> None:
    (tmp_path / "nas").mkdir()
    place = sftp_place(sshd, tmp_path / "nas")
    place.address = replace(place.address, sftp_host_key="SHA256:" + "A" * 43)
    bench.knows(place)

    run = await bench.outcome(init_of(place))

    assert run.failure is not None
    assert run.failure.code == "host_key_changed"
    assert list((tmp_path / "nas").iterdir()) == []


async def test_a_changed_host_key_stops_a_backup_before_anything_is_sent(
    bench: Bench, synology: Place, own_sshd: Sshd, data: Path
) -> None:
    before = own_sshd.fingerprint
    own_sshd.stop()
    own_sshd.new_host_key()
    own_sshd.start()

    run = await bench.outcome(backup_of([data], synology))

    assert run.failure is not None
    assert run.failure.code == "host_key_changed"
    assert before in run.failure.message
    assert own_sshd.fingerprint in run.failure.message
    assert not run.failure.retryable


async def test_a_server_that_dies_in_mid_backup_is_tried_again_and_its_lock_removed(
    bench: Bench, synology: Place, own_sshd: Sshd, much: Path, data: Path
) -> None:
    async with bench.doing(backup_of([much], synology)) as task:
        await writing(synology, task)
        own_sshd.stop()
        start = time.monotonic()
        await task

    run = bench.outcomes[-1]
    assert run.failure is not None
    assert (run.failure.code, run.failure.retryable) == ("destination_unreachable", True)
    assert time.monotonic() - start < 20
    own_sshd.start()
    assert synology.files("locks")
    again = await bench.outcome(backup_of([data], synology))
    (snapshot,) = await snapshots.run(bench.restic(synology))
    forgotten = await bench.outcome(
        work_of(
            ForgetAdmitted,
            synology,
            configuration_id=new_id(),
            restic_snapshot_ids=(snapshot.id,),
        )
    )
    assert again.status is RunStatus.SUCCESS
    assert forgotten.status is RunStatus.SUCCESS, forgotten.failure
    assert synology.files("locks") == []


async def test_a_server_that_freezes_in_mid_backup_is_given_up(
    bench: Bench, synology: Place, own_sshd: Sshd, much: Path
) -> None:
    target = target_of(own_sshd, synology)
    restic = restic_at(bench, synology, replace(target, keepalive_seconds=0.5))

    task = asyncio.create_task(backup.run(restic, BackupOptions(paths=(str(much),))))
    await writing(synology, task)
    with own_sshd.frozen():
        start = time.monotonic()
        with pytest.raises(UnreachableError):
            await task

    assert time.monotonic() - start < 20


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"port": 1}, UnreachableError),
        ({"host": "nowhere.invalid"}, UnreachableError),
        ({"user": "nobody-of-that-name"}, AccessDeniedError),
        ({"host_key": OTHER_KEY}, AccessDeniedError),
    ],
    ids=["refused", "no host", "not let in", "another host key"],
)
async def test_restic_alone_gives_up_at_once_with_the_bridges_words(
    bench: Bench, sshd: Sshd, wrong: dict[str, Any], kind: type[ResticError]
) -> None:
    target = SftpTarget(
        host="127.0.0.1",
        port=sshd.port,
        user=sshd.user,
        path="/nowhere",
        host_key=sshd.host_key,
        private_key=Secret(sshd.private_key),
    )
    repository = repository_at(bench, replace(target, **wrong))
    restic = Restic(bench.deps.restic, bench.deps.runner, repository, run_id="1")
    start = time.monotonic()

    with pytest.raises(kind) as caught:
        await snapshots.run(restic)

    assert time.monotonic() - start < 20
    assert wrong.get("host", wrong.get("user", "127.0.0.1")) in caught.value.message


async def test_no_secret_is_seen_while_restic_runs(
    bench: Bench, synology: Place, much: Path
) -> None:
    work = backup_of([much], synology)
    key = synology.secrets.sftp_private_key.splitlines()[1].encode()
    password = synology.secrets.repo_password.encode()
    seen: dict[int, bytes] = {}
    async with bench.doing(work) as task:
        await writing(synology, task)
        for pid in processes_of(work.run_id):
            folder = Path(f"/proc/{pid}")
            seen[pid] = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        await task

    assert len(seen) == 2
    assert any(b"sftp_bridge" in text for text in seen.values())
    assert all(key not in text and password not in text for text in seen.values())
    written = [path for path in bench.deps.cache.rglob("*") if path.is_file()]
    assert not [path for path in written if key in path.read_bytes()]


async def test_the_bridge_ends_with_its_restic(bench: Bench, synology: Place, much: Path) -> None:
    work = backup_of([much], synology)
    async with bench.doing(work) as task:
        await writing(synology, task)
        restic, bridge = sorted(processes_of(work.run_id), key=started_at)
        assert b"sftp_bridge" in Path(f"/proc/{bridge}/cmdline").read_bytes()
        os.kill(restic, signal.SIGKILL)
        await task
        await until(lambda: not processes_of(work.run_id), what="the bridge is gone")


async def test_a_password_and_a_path_below_the_home_without_any_ssh_program(
    bench: Bench, password_server: PasswordServer, data: Path, tmp_path: Path
) -> None:
    (password_server.root / "my backups").mkdir()
    target = SftpTarget(
        host="127.0.0.1",
        port=password_server.port,
        user=password_server.user,
        path="my backups/homelab-backups",
        parent="my backups",
        host_key=password_server.host_key,
        password=Secret(password_server.password),
    )
    await open_backend(target).prepare()
    (tmp_path / "bin").mkdir()
    runner = LocalRunner({"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)})
    restic = Restic(bench.deps.restic, runner, repository_at(bench, target), run_id="1")

    made = await init.run(restic)
    await backup.run(restic, BackupOptions(paths=(str(data),)))

    assert len(await snapshots.run(restic)) == 1
    assert (password_server.root / "my backups" / "homelab-backups" / "config").exists()
    assert len(made.id) == 64


async def test_a_probe_writes_nothing_into_an_empty_mount_point(
    bench: Bench, synology: Place, tmp_path: Path
) -> None:
    repository = tmp_path / "nas" / "homelab-backups"
    repository.rename(tmp_path / "unmounted")
    repository.mkdir(mode=0o500)
    mark = repository.stat().st_mtime_ns

    run = await bench.outcome(work_of(ProbeRequested, synology))

    assert run.failure is not None
    assert run.failure.code == "repository_missing"
    assert repository.stat().st_mtime_ns == mark


def target_of(server: Sshd, place: Place) -> SftpTarget:
    return SftpTarget(
        host="127.0.0.1",
        port=server.port,
        user=server.user,
        path=place.address.sftp_path,
        host_key=server.host_key,
        private_key=Secret(server.private_key),
    )


def repository_at(bench: Bench, target: SftpTarget, password: str = "p" * 40) -> Repository:
    return Repository(
        url=open_backend(target).repository_url,
        password=Secret(password),
        sftp=SftpAccess(
            command=COMMAND, environment=ENVIRONMENT, secrets={TICKET: ticket_of(target)}
        ),
        cache_dir=str(bench.deps.cache / "sftp"),
    )


def restic_at(bench: Bench, place: Place, target: SftpTarget) -> Restic:
    repository = repository_at(bench, target, place.secrets.repo_password)
    return Restic(bench.deps.restic, bench.deps.runner, repository, run_id="1")
