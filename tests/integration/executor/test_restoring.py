"""What a restore may replace, what it would do, and from where it goes on when a source fails."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.events.restoring import RestoreMode
from holdfast.events.run import RestoreResult, RunCompleted, RunStatus
from holdfast.events.snapshot import SnapshotCompleted
from holdfast.events.work import FanOut, RestoreRequested, RestoreSource
from support.executor import Bench, Place, backup_of, local_place, work_of
from support.hosts import Pi
from support.sshd import Sshd
from support.trees import differences, manifest

pytestmark = pytest.mark.restic

OLD, SNAPSHOT, NEW = 1_500_000_000, 1_600_000_000, 1_700_000_000

Restore = Callable[..., Any]


@pytest.fixture(params=["here", pytest.param("device", marks=pytest.mark.sftp)])
def where(request: pytest.FixtureRequest, bench: Bench, tmp_path: Path) -> dict[str, Any]:
    """Where it is restored: fields of the work."""
    if request.param == "here":
        return {}
    sshd: Sshd = request.getfixturevalue("own_sshd")
    pi = Pi(sshd, tmp_path / "pi").known_to(bench)
    return {"device": pi.address}


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """Three files of one age."""
    root = tmp_path / "three"
    root.mkdir()
    for name in ("older", "newer", "gone"):
        (root / name).write_text(f"{name} in the snapshot")
        os.utime(root / name, (SNAPSHOT, SNAPSHOT))
    return root


async def made(bench: Bench, data: Path, *places: Place) -> list[str]:
    run = await bench.outcome(backup_of([data], *places, fan_out=FanOut.COPY))
    assert run.status is RunStatus.SUCCESS, run.failure
    ids = {each.destination_id: each for each in bench.said(SnapshotCompleted)}
    return [ids[place.id].restic_snapshot_id for place in places]


async def restored(bench: Bench, place: Place, snapshot: str, **fields: Any) -> RunCompleted:
    return await bench.outcome(
        work_of(RestoreRequested, place, restic_snapshot_id=snapshot, **fields)
    )


def result_of(run: RunCompleted) -> RestoreResult:
    assert run.status is RunStatus.SUCCESS, run.failure
    assert isinstance(run.result, RestoreResult)
    return run.result


def changed_since(three: Path) -> None:
    """One is older than in the snapshot, one newer, one gone."""
    (three / "older").write_text("mine, of long ago")
    os.utime(three / "older", (OLD, OLD))
    (three / "newer").write_text("mine, of today")
    os.utime(three / "newer", (NEW, NEW))
    (three / "gone").unlink()


@pytest.mark.parametrize(
    ("mode", "replaced"),
    [
        (RestoreMode.IF_NEWER, {"older", "gone"}),
        (RestoreMode.IF_CHANGED, {"older", "newer", "gone"}),
        (RestoreMode.ALWAYS, {"older", "newer", "gone"}),
    ],
)
async def test_a_mode_says_what_may_be_replaced(
    bench: Bench,
    nas: Place,
    three: Path,
    where: dict[str, Any],
    mode: RestoreMode,
    replaced: set[str],
) -> None:
    (snapshot,) = await made(bench, three, nas)
    changed_since(three)

    run = await restored(bench, nas, snapshot, target_path="/", mode=mode, verify=True, **where)

    assert result_of(run).verified
    assert {
        path.name for path in three.iterdir() if path.read_text().endswith("in the snapshot")
    } == replaced
    assert ((three / "newer").read_text() == "mine, of today") == ("newer" not in replaced)


async def test_without_a_mode_nothing_at_all_is_restored_over_what_differs(
    bench: Bench, nas: Place, three: Path, where: dict[str, Any]
) -> None:
    (snapshot,) = await made(bench, three, nas)
    changed_since(three)
    before = manifest(three)

    run = await restored(bench, nas, snapshot, target_path="/", **where)

    assert run.failure is not None
    assert run.failure.code == "would_overwrite"
    assert manifest(three) == before


async def test_a_dry_run_tells_and_writes_nothing(
    bench: Bench, nas: Place, three: Path, tmp_path: Path, where: dict[str, Any]
) -> None:
    (snapshot,) = await made(bench, three, nas)
    changed_since(three)
    before = manifest(tmp_path / "three")
    stat = (three / "older").stat()

    run = await restored(
        bench, nas, snapshot, target_path="/", mode=RestoreMode.IF_NEWER, dry_run=True, **where
    )

    plan = result_of(run).plan
    assert plan is not None
    files = {Path(each.path).name: each.action for each in plan.files}
    assert (files["older"], files["gone"]) == ("updated", "restored")
    assert "newer" not in files
    assert plan.updated == 1
    assert manifest(three) == before
    assert (three / "older").stat() == stat

    elsewhere = await restored(
        bench, nas, snapshot, target_path=str(tmp_path / "not there"), dry_run=True, **where
    )
    plan = result_of(elsewhere).plan
    assert plan is not None
    assert (plan.updated, plan.in_the_way_count) == (0, 0)
    assert not (tmp_path / "not there").exists()

    refused = await restored(bench, nas, snapshot, target_path="/", dry_run=True, **where)
    plan = result_of(refused).plan
    assert plan is not None
    assert plan.in_the_way_count >= 1
    assert not list((bench.deps.cache / "restores").glob("*"))


# ---- several sources


@pytest.fixture
async def second(bench: Bench, nas: Place, tmp_path: Path) -> Place:
    """A sibling of the first."""
    (tmp_path / "second").mkdir()
    return await bench.initialise(local_place(tmp_path / "second", "second"), first=nas)


def source(place: Place, snapshot: str) -> RestoreSource:
    return RestoreSource(address=place.address, restic_snapshot_id=snapshot)


async def test_it_goes_on_from_another_destination_when_one_is_away(
    bench: Bench, nas: Place, second: Place, data: Path, tmp_path: Path, where: dict[str, Any]
) -> None:
    before = manifest(data)
    first, copy = await made(bench, data, nas, second)
    shutil.move(nas.address.local_path, tmp_path / "in the cupboard")

    run = await restored(
        bench,
        nas,
        first,
        others=(source(second, copy),),
        target_path=str(tmp_path / "back"),
        **where,
    )

    result = result_of(run)
    assert result.destination_id == second.id
    (failed,) = result.failed_sources
    assert (failed.destination_name, failed.destination_id) == ("nas", nas.id)
    assert failed.code == "path_missing"
    assert differences(before, manifest(tmp_path / "back" / data.relative_to("/"))) == []


async def test_what_one_cannot_read_comes_from_another(
    bench: Bench, nas: Place, second: Place, data: Path, tmp_path: Path
) -> None:
    """In mid-restore: what was in place by then is kept, and the rest is fetched."""
    before = manifest(data)
    first, copy = await made(bench, data, nas, second)
    packs = sorted(nas.files("data"), key=lambda each: each.stat().st_size)
    content = bytearray(packs[-1].read_bytes())
    content[len(content) // 3] ^= 0xFF
    packs[-1].chmod(0o600)
    packs[-1].write_bytes(content)

    alone = await restored(bench, nas, first, target_path=str(tmp_path / "alone"))
    run = await restored(
        bench, nas, first, others=(source(second, copy),), target_path=str(tmp_path / "back")
    )

    assert alone.status is RunStatus.PARTIAL
    result = result_of(run)
    assert [each.code for each in result.failed_sources] == ["restore_incomplete"]
    assert result.destination_id == second.id
    # Of the tree one file was damaged: the others were not written twice.
    assert 0 < result.files_restored < len(before)
    assert differences(before, manifest(tmp_path / "back" / data.relative_to("/"))) == []
    assert not list((bench.deps.cache / "restores").glob("*"))


async def test_when_all_fail_the_last_one_is_told(
    bench: Bench, nas: Place, second: Place, data: Path, tmp_path: Path
) -> None:
    first, copy = await made(bench, data, nas, second)
    shutil.rmtree(nas.address.local_path)
    shutil.rmtree(Path(second.address.local_path) / "config", ignore_errors=True)
    (Path(second.address.local_path) / "config").unlink(missing_ok=True)

    run = await restored(
        bench, nas, first, others=(source(second, copy),), target_path=str(tmp_path / "back")
    )

    assert run.status is RunStatus.FAILED
    assert run.failure is not None
    assert "second" in run.failure.message
    assert not (tmp_path / "back").exists()


async def test_a_fault_of_the_target_is_not_looked_for_elsewhere(
    bench: Bench, nas: Place, second: Place, data: Path, tmp_path: Path
) -> None:
    first, copy = await made(bench, data, nas, second)
    (tmp_path / "a file").touch()

    run = await restored(
        bench, nas, first, others=(source(second, copy),), target_path=str(tmp_path / "a file")
    )

    assert run.failure is not None
    assert run.failure.code == "target_unusable"


async def test_if_newer_is_not_taken_up_again_for_half_a_file_looks_new(
    bench: Bench, nas: Place, three: Path
) -> None:
    (snapshot,) = await made(bench, three, nas)
    work = work_of(
        RestoreRequested,
        nas,
        restic_snapshot_id=snapshot,
        target_path="/",
        mode=RestoreMode.IF_NEWER,
    )
    mark = bench.deps.cache / "restores" / str(work.run_id)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    bench.claim = 2

    run = await bench.outcome(work)

    assert run.failure is not None
    assert run.failure.code == "restore_broken_off"
    assert not mark.exists()


# ---- what comes back is what was


async def test_owners_modes_times_attributes_and_kinds_come_back(
    bench: Bench, nas: Place, tmp_path: Path, where: dict[str, Any]
) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give files away")
    root = tmp_path / "kinds"
    root.mkdir()
    for name in (
        b"- a dash",
        b"--target",
        b"'q\"uotes'`$(x)`",
        b"new\nline",
        b" spaces  ",
        b"\xff\xfe\\",
    ):
        (root / os.fsdecode(name)).write_bytes(name)
    (root / "-rf").mkdir()
    (root / "attributes").write_text("x")
    os.setxattr(root / "attributes", "user.comment", b"from \xff me")
    (root / "theirs").write_text("x")
    os.chown(root / "theirs", 12_345, 54_321)
    os.mkfifo(root / "pipe", 0o640)
    (root / "set").write_text("x")
    (root / "set").chmod(0o4711)
    os.symlink("theirs", root / "link")
    os.lchown(root / "link", 777, 778)
    os.link(root / "theirs", root / "the same")
    (snapshot,) = await made(bench, root, nas)

    run = await restored(
        bench, nas, snapshot, target_path=str(tmp_path / "back"), verify=True, **where
    )

    assert result_of(run).verified
    back = tmp_path / "back" / root.relative_to("/")
    assert differences(manifest(root), manifest(back)) == []
    assert os.getxattr(back / "attributes", "user.comment") == b"from \xff me"
    assert ((back / "theirs").stat().st_uid, (back / "theirs").stat().st_gid) == (12_345, 54_321)
    assert (back / "link").lstat().st_uid == 777
    assert (back / "pipe").is_fifo()
    assert (back / "theirs").samefile(back / "the same")


async def test_four_sparse_gibibytes_take_no_space(
    bench: Bench, nas: Place, tmp_path: Path, where: dict[str, Any]
) -> None:
    root = tmp_path / "machine"
    root.mkdir()
    with (root / "disk.img").open("wb") as file:
        file.truncate(4 << 30)
        file.seek(3 << 30)
        file.write(b"a file system")
    (snapshot,) = await made(bench, root, nas)

    run = await restored(bench, nas, snapshot, target_path=str(tmp_path / "back"), **where)

    result_of(run)
    image = tmp_path / "back" / root.relative_to("/") / "disk.img"
    assert image.stat().st_size == 4 << 30
    assert image.stat().st_blocks * 512 < 16 << 20
    with image.open("rb") as file:
        file.seek(3 << 30)
        assert file.read(13) == b"a file system"


async def test_a_hundred_thousand_small_files(bench: Bench, nas: Place, tmp_path: Path) -> None:
    root = tmp_path / "many"
    for folder in range(100):
        (root / f"{folder:02}").mkdir(parents=True)
        for number in range(1000):
            (root / f"{folder:02}" / f"{number:03}").write_bytes(b"%d" % number)
    (snapshot,) = await made(bench, root, nas)

    run = await restored(bench, nas, snapshot, target_path=str(tmp_path / "back"))

    assert result_of(run).files_restored >= 100_000
    back = tmp_path / "back" / root.relative_to("/")
    assert sum(len(files) for _, _, files in os.walk(back)) == 100_000
    assert (back / "57" / "123").read_bytes() == b"123"
