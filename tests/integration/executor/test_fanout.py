"""Several destinations: how a snapshot reaches each, and that it is the same at all of them."""

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from holdfast.events.queries import GetSnapshot
from holdfast.events.run import RunStatus
from holdfast.events.snapshot import SnapshotCompleted, SnapshotFailed, Way
from holdfast.events.work import FanOut
from holdfast.kernel.clock import utc_now
from holdfast.restic.commands import backup, check, config, forget, prune, snapshots
from holdfast.restic.commands.check import CheckOptions
from holdfast.restic.commands.forget import ForgetOptions
from support.executor import (
    Bench,
    Place,
    backup_of,
    init_of,
    local_place,
    row_of,
    s3_place,
    sftp_place,
)
from support.locks import forged_lock
from support.servers import RcloneS3
from support.sshd import Sshd
from support.trees import make_tree

pytestmark = pytest.mark.restic


@pytest.fixture(
    params=[
        "local",
        pytest.param("s3", marks=pytest.mark.s3),
        pytest.param("sftp", marks=pytest.mark.sftp),
    ]
)
def second(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A further place of each kind, without a repository yet."""
    return new_place(request, tmp_path, request.param)


def new_place(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> Place:
    if kind == "local":
        (tmp_path / "usb").mkdir()
        return local_place(tmp_path / "usb", "usb")
    if kind == "sftp":
        (tmp_path / "synology").mkdir()
        return sftp_place(request.getfixturevalue("sshd"), tmp_path / "synology")
    server: Any = request.getfixturevalue("s3_server")
    return s3_place(server, f"bucket-{uuid4().hex[:12]}")


@pytest.fixture
def second_s3_server(tmp_path: Path) -> Iterator[RcloneS3]:
    """One with keys of its own."""
    server = RcloneS3(tmp_path / "s3")
    server.secret_key = "SKofAnotherProvider0123456789"
    yield server.start()
    server.stop()


def completed(bench: Bench, place: Place) -> SnapshotCompleted:
    found = [each for each in bench.said(SnapshotCompleted) if each.destination_id == place.id]
    return found[-1]


async def sound(bench: Bench, *places: Place) -> None:
    for place in places:
        found = await check.run(bench.restic(place), CheckOptions(read_part=(1, 1)))
        assert found.sound, f"{place.address.name}: {found.detail}"


def names(place: Place, folder: str) -> set[str]:
    return {each.name for each in place.files(folder)}


async def test_a_new_repository_is_of_the_first_ones_family_under_an_id_of_its_own(
    bench: Bench, nas: Place, second: Place
) -> None:
    await bench.initialise(second, first=nas)

    mine = await config.run(bench.restic(nas))
    its = await config.run(bench.restic(second))
    assert its.chunker_polynomial == mine.chunker_polynomial
    assert its.version == mine.version
    assert its.id != mine.id
    assert nas.secrets.repo_password != second.secrets.repo_password
    await sound(bench, second)


async def test_a_persons_password_opens_the_sibling_and_keeps_its_costly_key(
    bench: Bench, nas: Place, tmp_path: Path
) -> None:
    (tmp_path / "usb").mkdir()
    place = local_place(tmp_path / "usb", "usb", password="sesame")

    await bench.initialise(place, first=nas)

    (key,) = place.files("keys")
    assert b'"N":32768' in key.read_bytes()
    await sound(bench, place)


async def test_without_the_first_destination_no_other_is_made(
    bench: Bench, nas: Place, tmp_path: Path
) -> None:
    (tmp_path / "usb").mkdir()
    place = local_place(tmp_path / "usb", "usb")
    bench.knows(place)
    Path(nas.address.local_path).rename(tmp_path / "gone")

    run = await bench.outcome(init_of(place, first=nas))

    assert run.status is RunStatus.FAILED
    assert run.failure is not None
    assert run.failure.code == "first_destination_away"
    assert "remove it first" in run.failure.guidance
    assert list((tmp_path / "usb").iterdir()) == []


@pytest.mark.parametrize("fan_out", list(FanOut))
async def test_each_destination_has_the_same_snapshot(
    bench: Bench, nas: Place, second: Place, data: Path, fan_out: FanOut
) -> None:
    await bench.initialise(second, first=nas)
    work = backup_of([data], nas, second, fan_out=fan_out)

    run = await bench.outcome(work)

    assert run.status is RunStatus.SUCCESS
    first, other = completed(bench, nas), completed(bench, second)
    assert first.tree
    assert other.tree
    # Read twice, even the folders above may differ: this very test writes beside the data.
    assert first.tree == other.tree or fan_out is FanOut.PARALLEL
    assert first.way is Way.BACKUP
    ways = {FanOut.PARALLEL: Way.BACKUP, FanOut.COPY: Way.COPY, FanOut.MIRROR: Way.MIRROR}
    assert other.way is ways[fan_out]
    (made,) = await snapshots.run(bench.restic(second))
    assert made.id == other.restic_snapshot_id
    assert set(work.tags) <= set(made.tags)
    assert other.total_bytes_processed == first.total_bytes_processed > 0
    if second.address.local_path and fan_out is FanOut.MIRROR:
        assert names(second, "data") == names(nas, "data")
        assert names(second, "index") >= names(nas, "index")
    await sound(bench, nas, second)


async def test_the_next_one_is_read_from_the_source_when_the_first_is_away(
    bench: Bench, nas: Place, second: Place, data: Path, tmp_path: Path
) -> None:
    await bench.initialise(second, first=nas)
    (tmp_path / "third").mkdir()
    third = await bench.initialise(local_place(tmp_path / "third", "third"), first=nas)
    Path(nas.address.local_path).rename(tmp_path / "gone")

    run = await bench.outcome(backup_of([data], nas, second, third, fan_out=FanOut.MIRROR))

    assert run.status is RunStatus.PARTIAL
    assert completed(bench, second).way is Way.BACKUP
    assert completed(bench, third).way is Way.MIRROR
    assert completed(bench, second).tree == completed(bench, third).tree
    await sound(bench, second, third)


async def test_strangers_are_copied_to_by_restic_alone(
    bench: Bench, nas: Place, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "usb").mkdir()
    stranger = await bench.initialise(local_place(tmp_path / "usb", "usb"))

    await bench.outcome(backup_of([data], nas, stranger, fan_out=FanOut.MIRROR))

    assert completed(bench, stranger).way is Way.COPY
    assert completed(bench, stranger).tree == completed(bench, nas).tree
    await sound(bench, stranger)


async def test_a_pack_that_is_damaged_at_the_first_is_not_carried_on(
    bench: Bench, nas: Place, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The damage comes between the backup and the mirror; the source is read again then."""
    (tmp_path / "usb").mkdir()
    usb = await bench.initialise(local_place(tmp_path / "usb", "usb"), first=nas)
    spoiled: list[str] = []
    run = backup.run

    async def and_spoil(*given: Any, **more: Any) -> Any:
        made = await run(*given, **more)
        if not spoiled:
            pack = max(nas.files("data"), key=lambda each: each.stat().st_size)
            pack.chmod(0o600)
            pack.write_bytes(pack.read_bytes()[:-1] + b"X")
            spoiled.append(pack.name)
        return made

    monkeypatch.setattr(backup, "run", and_spoil)

    await bench.outcome(backup_of([data], nas, usb, fan_out=FanOut.MIRROR))

    for pack in usb.files("data"):
        assert hashlib.sha256(pack.read_bytes()).hexdigest() == pack.name
    assert completed(bench, usb).status is RunStatus.SUCCESS
    await sound(bench, usb)


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_is_backed_up_forgotten_and_pruned_every_snapshot_is_whole(
    bench: Bench, nas: Place, tmp_path: Path, seed: int
) -> None:
    """Files come, go and come back; each side forgets and prunes by itself, in any order."""
    dice = random.Random(seed)
    (tmp_path / "usb").mkdir()
    usb = await bench.initialise(local_place(tmp_path / "usb", "usb"), first=nas)
    data = tmp_path / "changing"
    data.mkdir()
    contents = [random.Random(each).randbytes(200_000 + 50_000 * each) for each in range(8)]

    for _ in range(12):
        for number, content in enumerate(contents):
            file = data / f"{number}"
            if dice.random() < 0.5:
                file.write_bytes(content)
            else:
                file.unlink(missing_ok=True)
        (data / "always").write_bytes(dice.randbytes(1000))
        order = dice.sample([nas, usb], 2)
        run = await bench.outcome(backup_of([data], *order, fan_out=FanOut.MIRROR))
        assert run.status is RunStatus.SUCCESS
        last = {each.tree for each in bench.said(SnapshotCompleted) if each.run_id == run.run_id}
        assert len(last) == 1
        for place in (nas, usb):
            restic = bench.restic(place)
            there = await snapshots.run(restic)
            gone = tuple(each.id for each in there[:-1] if dice.random() < 0.4)
            if gone:
                await forget.run(restic, ForgetOptions(snapshot_ids=gone))
            if dice.random() < 0.4:
                await prune.run(restic)

    await sound(bench, nas, usb)
    for place in (nas, usb):
        await prune.run(bench.restic(place))
    await sound(bench, nas, usb)


async def test_what_was_pruned_is_not_carried_back_and_forth(
    bench: Bench, nas: Place, tmp_path: Path
) -> None:
    (tmp_path / "usb").mkdir()
    usb = await bench.initialise(local_place(tmp_path / "usb", "usb"), first=nas)
    data = make_tree(tmp_path / "data")
    big = data / "big"
    big.write_bytes(random.Random(1).randbytes(3_000_000))
    await bench.outcome(backup_of([data], nas, usb, fan_out=FanOut.MIRROR))
    big.unlink()
    await bench.outcome(backup_of([data], nas, usb, fan_out=FanOut.MIRROR))
    restic = bench.restic(usb)
    oldest = (await snapshots.run(restic))[0]
    await forget.run(restic, ForgetOptions(snapshot_ids=(oldest.id,)))
    await prune.run(restic)
    small = sum(each.stat().st_size for each in usb.files("data"))

    for number in range(3):
        (data / "note").write_text(f"{number}")
        await bench.outcome(backup_of([data], nas, usb, fan_out=FanOut.MIRROR))

    assert sum(each.stat().st_size for each in usb.files("data")) < small + 1_000_000
    assert sum(each.stat().st_size for each in nas.files("data")) > small + 2_500_000


async def test_a_foreign_prune_at_the_target_is_waited_for_and_nothing_is_carried(
    bench: Bench, nas: Place, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "usb").mkdir()
    usb = await bench.initialise(local_place(tmp_path / "usb", "usb"), first=nas)
    await forged_lock(
        bench.restic(usb),
        usb.address.local_path,
        host="elsewhere",
        pid=4711,
        time=utc_now(),
        exclusive=True,
    )

    run = await bench.outcome(backup_of([data], nas, usb, fan_out=FanOut.MIRROR))

    assert run.status is RunStatus.PARTIAL
    (failed,) = bench.said(SnapshotFailed)
    assert (failed.destination_id, failed.failure.code) == (usb.id, "repository_locked")
    assert "pid 4711 on elsewhere" in failed.failure.message
    assert not usb.files("data")
    assert not usb.files("index")


async def test_a_foreign_prune_at_the_source_is_waited_for(
    bench: Bench, nas: Place, data: Path, tmp_path: Path
) -> None:
    """The snapshot is there from an earlier attempt, and is to be copied."""
    (tmp_path / "usb").mkdir()
    usb = await bench.initialise(local_place(tmp_path / "usb", "usb"), first=nas)
    work = backup_of([data], nas, usb, fan_out=FanOut.MIRROR)
    await bench.outcome(msgspec.structs.replace(work, targets=work.targets[:1]))
    made = bench.said(SnapshotCompleted)[-1]
    bench.done = (made.snapshot_id,)
    bench.bus.answers[GetSnapshot] = lambda _: row_of(made)
    lock = await forged_lock(
        bench.restic(nas),
        nas.address.local_path,
        host="elsewhere",
        pid=4711,
        time=utc_now(),
        exclusive=True,
    )

    await bench.do(work)

    failed = bench.said(SnapshotFailed)[-1]
    assert (failed.destination_id, failed.failure.code) == (usb.id, "repository_locked")
    assert "pid 4711 on elsewhere" in failed.failure.message
    lock.unlink()
    await bench.do(work)
    assert completed(bench, usb).way is Way.MIRROR
    await sound(bench, nas, usb)


@pytest.mark.s3
async def test_two_providers_with_keys_of_their_own_are_mirrored(
    bench: Bench, data: Path, s3_server: RcloneS3, second_s3_server: RcloneS3
) -> None:
    """One restic knows one set of keys: it reads the first through a relay."""
    one = await bench.initialise(s3_place(s3_server, f"bucket-{uuid4().hex[:12]}", "one"))
    two = s3_place(second_s3_server, f"bucket-{uuid4().hex[:12]}", "two")
    await bench.initialise(two, first=one)

    run = await bench.outcome(backup_of([data], one, two, fan_out=FanOut.MIRROR))

    assert run.status is RunStatus.SUCCESS, run.failure
    assert completed(bench, two).way is Way.MIRROR
    assert completed(bench, two).tree == completed(bench, one).tree
    await sound(bench, one, two)


@pytest.mark.sftp
@pytest.mark.parametrize("append_only", [False, True])
async def test_what_is_on_an_sftp_server_is_copied_from_there(
    bench: Bench, data: Path, sshd: Sshd, tmp_path: Path, append_only: bool
) -> None:
    for each in ("synology", "usb"):
        (tmp_path / each).mkdir()
    first = await bench.initialise(sftp_place(sshd, tmp_path / "synology"))
    # Strangers: nothing but restic can bring a snapshot from one to the other.
    second = await bench.initialise(local_place(tmp_path / "usb", "usb"))
    second.address = msgspec.structs.replace(second.address, append_only=append_only)

    run = await bench.outcome(backup_of([data], first, second, fan_out=FanOut.MIRROR))

    assert run.status is RunStatus.SUCCESS, run.failure
    assert completed(bench, second).way is Way.COPY
    assert completed(bench, second).tree == completed(bench, first).tree
    await sound(bench, first, second)


async def test_a_copy_began_when_its_original_did(
    bench: Bench, nas: Place, data: Path, tmp_path: Path
) -> None:
    """Retention at each destination goes by that time, and restic records no other."""
    (tmp_path / "usb").mkdir()
    usb = await bench.initialise(local_place(tmp_path / "usb", "usb"), first=nas)

    await bench.outcome(backup_of([data], nas, usb, fan_out=FanOut.MIRROR))

    assert completed(bench, usb).started_at == completed(bench, nas).started_at
    (here,), (there,) = [await snapshots.run(bench.restic(each)) for each in (nas, usb)]
    assert here.time == there.time
