"""A damaged repository is made whole again with what its siblings have."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from holdfast.events.queries import ListSnapshots
from holdfast.events.run import HealResult, RunCompleted, RunStatus
from holdfast.events.snapshot import SnapshotCompleted
from holdfast.events.views import SnapshotPage
from holdfast.events.work import FanOut, HealRequested
from holdfast.restic.commands import check, init, restore, snapshots
from holdfast.restic.commands.check import CheckOptions
from holdfast.restic.commands.init import InitOptions
from holdfast.restic.commands.restore import RestoreOptions
from support.executor import Bench, Place, backup_of, local_place, row_of, s3_place, work_of
from support.trees import make_tree

pytestmark = pytest.mark.restic

Damage = Callable[[Place], None]


def largest(place: Place, folder: str = "data") -> Path:
    return max(files(place, folder), key=lambda each: each.stat().st_size)


def files(place: Place, folder: str) -> list[Path]:
    """Of a local place, or of an S3 server's folder."""
    root = Path(place.address.local_path or str(place.__dict__["folder"])) / folder
    return sorted(each for each in root.rglob("*") if each.is_file())


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for at in range(20, len(content), max(1, len(content) // 50)):
        content[at] ^= 0xFF
    path.chmod(0o600)
    path.write_bytes(bytes(content))


def flips_bytes(place: Place) -> None:
    flip(largest(place))


def removes_a_pack(place: Place) -> None:
    largest(place).unlink()


def removes_every_index(place: Place) -> None:
    for each in files(place, "index"):
        each.unlink()


def damages_an_index(place: Place) -> None:
    flip(files(place, "index")[0])


def removes_and_flips_all_packs(place: Place) -> None:
    for number, each in enumerate(files(place, "data")):
        each.unlink() if number % 2 else flip(each)


def removes_a_snapshot(place: Place) -> None:
    files(place, "snapshots")[0].unlink()


def damages_a_snapshot(place: Place) -> None:
    flip(files(place, "snapshots")[0])


def leaves_nothing_as_it_was(place: Place) -> None:
    """Packs that no index names any more, and that are damaged to their headers."""
    removes_and_flips_all_packs(place)
    removes_every_index(place)


DAMAGES = [
    flips_bytes,
    removes_a_pack,
    removes_every_index,
    damages_an_index,
    removes_and_flips_all_packs,
    removes_a_snapshot,
    damages_a_snapshot,
    leaves_nothing_as_it_was,
]


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.s3)])
def second(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "local":
        (tmp_path / "usb").mkdir()
        return local_place(tmp_path / "usb", "usb")
    server: Any = request.getfixturevalue("s3_server")
    bucket = f"bucket-{uuid4().hex[:12]}"
    place = s3_place(server, bucket)
    place.__dict__["folder"] = server.data / bucket / "home" / "lab"
    return place


def keep_record(bench: Bench) -> None:
    """The catalog's answer to what is believed to be at a destination."""

    def answer(query: ListSnapshots) -> SnapshotPage:
        rows = [row_of(each) for each in bench.said(SnapshotCompleted)]
        return SnapshotPage(
            snapshots=tuple(each for each in rows if each.destination_id == query.destination_id)
        )

    bench.bus.answers[ListSnapshots] = answer


async def heal(bench: Bench, place: Place, *siblings: Place) -> RunCompleted:
    keep_record(bench)
    work = work_of(HealRequested, place, siblings=tuple(each.address for each in siblings))
    return await bench.outcome(work)


async def insist_on_every_snapshot(
    bench: Bench, place: Place, into: Path, trees: dict[str, dict[str, str]]
) -> None:
    """A check that reads every byte is clean, and each run's files come back as they were."""
    found = await check.run(bench.restic(place), CheckOptions(read_part=(1, 1)))
    assert found.sound, found.detail
    seen = set()
    for each in await snapshots.run(bench.restic(place)):
        (run,) = [tag for tag in each.tags if tag.startswith("run:")]
        target = into / each.id
        await restore.run(bench.restic(place), RestoreOptions(snapshot=each.id, target=str(target)))
        assert content_of(target / each.paths[0].lstrip("/")) == trees[run]
        seen.add(run)
    assert seen == set(trees)


def content_of(folder: Path) -> dict[str, str]:
    return {
        str(each.relative_to(folder)): hashlib.sha256(each.read_bytes()).hexdigest()
        for each in folder.rglob("*")
        if each.is_file() and not each.is_symlink()
    }


async def back_up_twice(
    bench: Bench, tmp_path: Path, fan_out: FanOut, *places: Place
) -> dict[str, dict[str, str]]:
    data = make_tree(tmp_path / "data")
    trees = {}
    for number in range(2):
        (data / "changing").write_bytes(f"{number}".encode() * 400_000)
        work = backup_of([data], *places, fan_out=fan_out)
        assert (await bench.outcome(work)).status is RunStatus.SUCCESS
        trees[f"run:{work.run_id}"] = content_of(data)
    return trees


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_mirror_is_healed_from_its_sibling(
    bench: Bench, nas: Place, second: Place, tmp_path: Path, damage: Damage
) -> None:
    await bench.initialise(second, first=nas)
    trees = await back_up_twice(bench, tmp_path, FanOut.MIRROR, nas, second)
    damage(second)

    run = await heal(bench, second, nas)

    assert run.status is RunStatus.SUCCESS, run.failure
    assert isinstance(run.result, HealResult)
    if damage in (flips_bytes, removes_a_pack):
        assert run.result == HealResult(objects_restored=1)
    await insist_on_every_snapshot(bench, second, tmp_path / "restored", trees)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("fan_out", [FanOut.PARALLEL, FanOut.COPY])
async def test_a_stranger_is_healed_by_copying_what_its_snapshots_lack(
    bench: Bench, nas: Place, tmp_path: Path, damage: Damage, fan_out: FanOut
) -> None:
    """Master keys of their own; only the way in which files are cut is the same."""
    (tmp_path / "usb").mkdir()
    usb = local_place(tmp_path / "usb", "usb")
    bench.knows(usb)
    Path(usb.address.local_path).mkdir()
    await init.run(bench.restic(usb), InitOptions(chunker_of=bench.restic(nas).repository))
    trees = await back_up_twice(bench, tmp_path, fan_out, nas, usb)
    before = {each.id for each in await snapshots.run(bench.restic(usb))}
    damage(usb)

    run = await heal(bench, usb, nas)

    assert run.status is RunStatus.SUCCESS, run.failure
    assert isinstance(run.result, HealResult)
    after = {each.id for each in await snapshots.run(bench.restic(usb))}
    assert after == {run.result.replaced.get(each, each) for each in before}
    await insist_on_every_snapshot(bench, usb, tmp_path / "restored", trees)


async def test_what_nobody_has_is_told_and_the_rest_is_whole(
    bench: Bench, nas: Place, tmp_path: Path
) -> None:
    (tmp_path / "usb").mkdir()
    usb = await bench.initialise(local_place(tmp_path / "usb", "usb"), first=nas)
    data = make_tree(tmp_path / "data")
    await bench.outcome(backup_of([data], nas))
    good = (await snapshots.run(bench.restic(nas)))[0]
    other = tmp_path / "other"
    other.mkdir()
    (other / "file").write_bytes(b"only here" * 50_000)
    before = set(files(nas, "data"))
    await bench.outcome(backup_of([other], nas))
    for each in set(files(nas, "data")) - before:
        each.unlink()

    run = await heal(bench, nas, usb)

    assert run.status is RunStatus.PARTIAL
    assert run.failure is not None
    assert run.failure.code == "snapshots_lost"
    assert isinstance(run.result, HealResult)
    assert good.id not in run.result.lost_snapshots
    assert len(run.result.lost_snapshots) == 1
    target = tmp_path / "restored"
    await restore.run(bench.restic(nas), RestoreOptions(snapshot=good.id, target=str(target)))
    assert content_of(target / str(data).lstrip("/")) == content_of(data)


async def test_a_sound_one_is_left_as_it_is(bench: Bench, nas: Place, tmp_path: Path) -> None:
    (tmp_path / "usb").mkdir()
    usb = await bench.initialise(local_place(tmp_path / "usb", "usb"), first=nas)
    await back_up_twice(bench, tmp_path, FanOut.MIRROR, nas, usb)
    before = {each: each.stat().st_mtime_ns for each in files(usb, ".")}

    run = await heal(bench, usb, nas)

    assert run.status is RunStatus.SUCCESS
    assert run.result == HealResult()
    assert {each: each.stat().st_mtime_ns for each in files(usb, ".")} == before
