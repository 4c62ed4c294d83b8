"""A drill proves that a snapshot can be restored, tells when it cannot, and leaves nothing."""

import os
import shutil
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from holdfast.events.drilling import DrillRequested
from holdfast.events.drills import DrillMode, DrillResult
from holdfast.events.queries import HeartbeatReply
from holdfast.events.run import RunCompleted, RunStatus
from holdfast.events.snapshot import SnapshotCompleted
from holdfast.executor.drills import scratch
from holdfast.kernel.ids import new_id
from support.executor import Bench, Place, backup_of, until, work_of
from support.hosts import Pi
from support.sshd import Sshd
from support.trees import pour

pytestmark = pytest.mark.restic


@pytest.fixture(params=["here", pytest.param("device", marks=pytest.mark.sftp)])
def where(request: pytest.FixtureRequest, bench: Bench, tmp_path: Path) -> dict[str, Any]:
    """Where it is restored to: fields of the work."""
    if request.param == "here":
        return {}
    sshd: Sshd = request.getfixturevalue("own_sshd")
    return {"device": Pi(sshd, tmp_path / "pi").known_to(bench).address}


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """What restic can restore, and names and types that make it hard."""
    root = tmp_path / "odd"
    root.mkdir()
    (root / "plain").write_text("plain")
    (root / "line\n81a4 0 0 0 0 .").mkdir()
    (root / "line\n81a4 0 0 0 0 ." / "break").write_text("odd")
    Path(os.fsdecode(os.fsencode(root) + b"/not \xff\xfe\xe2\x82 utf-8")).write_text("odd")
    (root / "empty").touch()
    (root / "locked").mkdir(mode=0o000)
    (root / "run as me").write_text("#!/bin/sh")
    (root / "run as me").chmod(0o6755)
    (root / "common").mkdir()
    (root / "common").chmod(0o1777)
    (root / "link").symlink_to("nowhere")
    os.link(root / "plain", root / "the same")
    os.mkfifo(root / "pipe", 0o640)
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(root, os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
    with (root / "sparse").open("wb") as file:
        file.truncate(256 * 2**20)
    if os.geteuid() == 0:
        os.chown(root / "empty", 4321, 1234)
    os.utime(root / "plain", (-86_400.5, -86_400.5))
    return root


async def made(bench: Bench, data: Path, place: Place, **fields: Any) -> SnapshotCompleted:
    run = await bench.outcome(backup_of([data], place, **fields))
    assert run.status is RunStatus.SUCCESS, run.failure
    return bench.said(SnapshotCompleted)[-1]


async def drilled(
    bench: Bench, place: Place, snapshot: SnapshotCompleted, **fields: Any
) -> RunCompleted:
    return await bench.outcome(drill_of(place, snapshot, **fields))


def drill_of(place: Place, snapshot: SnapshotCompleted, **fields: Any) -> DrillRequested:
    work: DrillRequested = work_of(
        DrillRequested,
        place,
        **{
            "configuration_id": snapshot.configuration_id or new_id(),
            "restic_snapshot_id": snapshot.restic_snapshot_id,
            "backup_run_id": snapshot.run_id,
            **fields,
        },
    )
    return work


def result_of(run: RunCompleted) -> DrillResult:
    assert isinstance(run.result, DrillResult), run.failure
    return run.result


def left_below(*folders: Path) -> list[Path]:
    return [path for each in folders for path in each.rglob("*holdfast-drill*")]


async def test_what_can_be_restored_is_proved_and_nothing_is_left(
    bench: Bench, nas: Place, odd: Path, where: dict[str, Any], tmp_path: Path
) -> None:
    snapshot = await made(bench, odd, nas)

    run = await drilled(bench, nas, snapshot, **where)

    assert run.status is RunStatus.SUCCESS, (run.failure, run.result)
    result = result_of(run)
    assert result.is_whole
    assert result.mode is DrillMode.COMPARE
    assert result.files == 9  # the socket is nobody's to restore
    assert result.bytes == sum(
        path.lstat().st_size for path in odd.rglob("*") if stat.S_ISREG(path.lstat().st_mode)
    )
    assert result.restore_seconds > 0
    assert result.differences == ()
    assert left_below(tmp_path) == []


async def test_a_scratch_directory_of_choice(
    bench: Bench, nas: Place, data: Path, where: dict[str, Any], tmp_path: Path
) -> None:
    snapshot = await made(bench, data, nas)
    (tmp_path / "big disk").mkdir()

    run = await drilled(bench, nas, snapshot, scratch_path=f"{tmp_path}/big disk/", **where)
    missing = await drilled(bench, nas, snapshot, scratch_path=f"{tmp_path}/nowhere", **where)

    assert run.status is RunStatus.SUCCESS, run.failure
    assert list((tmp_path / "big disk").iterdir()) == []
    assert missing.failure is not None
    assert missing.failure.code == "scratch_failed"
    assert "nowhere" in missing.failure.detail
    assert not (tmp_path / "nowhere").exists()


async def test_a_damaged_pack_is_no_proof_and_is_told(
    bench: Bench, nas: Place, data: Path, tmp_path: Path
) -> None:
    snapshot = await made(bench, data, nas)
    pack = max(nas.files("data"), key=lambda path: path.stat().st_size)
    content = bytearray(pack.read_bytes())
    content[len(content) // 3] ^= 0xFF
    pack.chmod(0o600)
    pack.write_bytes(content)

    run = await drilled(bench, nas, snapshot)

    assert run.status is RunStatus.FAILED
    assert run.failure is not None
    assert run.failure.message.startswith("restore it, and read all of it again: ")
    assert left_below(tmp_path) == []


async def test_what_was_changed_after_it_was_restored_is_found(
    bench: Bench, nas: Place, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between restic's word and ours: so the comparison does not rest on restic alone."""
    snapshot = await made(bench, data, nas)
    change = (
        f'cd -- "$scratch"; printf more >>".{data}/script.sh"; chmod 711 ".{data}/secret"; '
        f'rm -- ".{data}/link"; touch added'
    )
    monkeypatch.setattr(scratch, "SCRIPT", scratch.SCRIPT.replace("list)", f"list)\n{change}\n"))

    run = await drilled(bench, nas, snapshot)

    assert run.failure is not None
    assert run.failure.code == "not_proved"
    result = result_of(run)
    told = "\n".join(result.differences)
    assert f"{data}/link: it is not there, and should be a symlink" in told
    assert f"{data}/script.sh: it is a file of 14 bytes" in told
    assert f"{data}/secret: it is a file of 6 bytes, mode 711" in told
    assert "/added: it is there, a file of 0 bytes" in told
    assert result.differences_count >= 4
    assert left_below(tmp_path) == []


async def test_of_a_large_snapshot_a_sample_another_one_each_time(
    bench: Bench, nas: Place, tmp_path: Path, where: dict[str, Any]
) -> None:
    snapshot = await made(bench, pour(tmp_path / "blocks", 24), nas)
    most = 8 * 2**20

    runs = [await drilled(bench, nas, snapshot, most_bytes=most, **where) for _ in range(2)]

    for run in runs:
        assert run.status is RunStatus.SUCCESS, run.failure
        result = result_of(run)
        assert not result.is_whole
        assert 0 < result.files < len(list((tmp_path / "blocks").iterdir()))
        assert 0 < result.bytes <= most
    nothing = await drilled(bench, nas, snapshot, most_bytes=10)
    assert nothing.failure is not None
    assert nothing.failure.code == "nothing_to_drill"
    assert left_below(tmp_path) == []


async def test_where_there_are_only_folders_these_are_proved(
    bench: Bench, nas: Place, tmp_path: Path
) -> None:
    (tmp_path / "new volume" / "upload").mkdir(parents=True)
    snapshot = await made(bench, tmp_path / "new volume", nas)

    run = await drilled(bench, nas, snapshot, most_bytes=2**20)

    assert run.status is RunStatus.SUCCESS, run.failure
    assert (result_of(run).files, result_of(run).is_whole) == (0, True)


async def test_without_room_nothing_is_restored(
    bench: Bench, nas: Place, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = await made(bench, data, nas)
    monkeypatch.setattr(scratch, "SPARE_BYTES", shutil.disk_usage(tmp_path).free)

    run = await drilled(bench, nas, snapshot)

    assert run.failure is not None
    assert run.failure.code == "no_room_for_drill"
    assert result_of(run).files == 0
    assert left_below(tmp_path) == []


async def test_killed_in_the_middle_the_next_one_takes_its_scratch_directory_away(
    bench: Bench, nas: Place, data: Path, tmp_path: Path, where: dict[str, Any]
) -> None:
    snapshot = await made(bench, data, nas)
    work = drill_of(nas, snapshot, scratch_path=str(tmp_path), **where)
    left = tmp_path / f".holdfast-drill-{work.configuration_id}"
    (left / "from" / "before").mkdir(parents=True)
    (left / "from" / "before" / "file").write_text("not of the snapshot")
    (left / "from").chmod(0o000)
    bench.claim = 2

    run = await bench.outcome(work)

    assert run.status is RunStatus.SUCCESS, (run.failure, run.result)
    assert left_below(tmp_path) == []


async def test_cancelled_it_leaves_nothing(
    bench: Bench, nas: Place, tmp_path: Path, where: dict[str, Any]
) -> None:
    snapshot = await made(bench, pour(tmp_path / "blocks", 64), nas)
    (tmp_path / "there").mkdir()
    work = drill_of(nas, snapshot, scratch_path=str(tmp_path / "there"), **where)

    async with bench.doing(work) as doing:
        await until(lambda: left_below(tmp_path / "there"), what="its scratch directory")
        bench.heartbeat = HeartbeatReply(held=True, cancel=True)
        bench.desk.look(work.run_id)
        await doing

    (run,) = [each for each in bench.said(RunCompleted) if each.run_id == work.run_id]
    assert run.status is RunStatus.CANCELLED
    assert left_below(tmp_path) == []


async def test_a_directory_that_is_not_ours_is_never_taken_away(tmp_path: Path) -> None:
    """The script itself refuses, whoever calls it."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("precious")
    for path in (tmp_path / "mine", tmp_path / "mine" / ".holdfast-drill-" / "..", "/"):
        for what in ("clear", "make"):
            code = os.spawnvp(
                os.P_WAIT, "sh", ["sh", "-c", scratch.SCRIPT, "scratch", what, str(path)]
            )
            assert code == 3
    (tmp_path / ".holdfast-drill-link").symlink_to(tmp_path / "mine")
    argv = ["sh", "-c", scratch.SCRIPT, "scratch", "clear", f"{tmp_path}/.holdfast-drill-link"]
    assert os.spawnvp(os.P_WAIT, "sh", argv) == 0
    assert (tmp_path / "mine" / "file").read_text() == "precious"
