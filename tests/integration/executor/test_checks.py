"""Checks on real restic: what is found, what is named, what is told on the way."""

import os
from pathlib import Path

import pytest

from holdfast.events.queries import HeartbeatReply
from holdfast.events.run import CheckResult, RunCompleted, RunProgress, RunStatus
from holdfast.events.snapshot import SnapshotCompleted
from holdfast.events.work import CheckRequested
from support.executor import Bench, Place, backup_of, until, work_of

pytestmark = pytest.mark.restic


async def snapshot_at(bench: Bench, data: Path, place: Place) -> str:
    run = await bench.outcome(backup_of([data], place))
    assert run.status is RunStatus.SUCCESS, run.failure
    return bench.said(SnapshotCompleted)[-1].restic_snapshot_id


def data_pack(place: Place) -> Path:
    """The biggest: file contents, no directories."""
    return max(place.files("data"), key=lambda pack: pack.stat().st_size)


def flip(pack: Path) -> None:
    """A few bits, as a bad disk does: neither size nor time tells."""
    content = bytearray(pack.read_bytes())
    content[100] ^= 0xFF
    pack.chmod(0o600)
    pack.write_bytes(content)


async def test_all_parts_together_read_a_whole_repository(
    bench: Bench, place: Place, data: Path
) -> None:
    await snapshot_at(bench, data, place)
    parts = (1, 2, 3)

    work = work_of(CheckRequested, place, parts=3, read=parts, repository_size=3_000_000)
    run = await bench.outcome(work)

    assert run.status is RunStatus.SUCCESS, run.failure
    assert isinstance(run.result, CheckResult)
    assert (run.result.sound, run.result.parts, run.result.read) == (True, 3, parts)
    assert run.result.stats is not None
    assert run.result.bytes_read == run.result.stats.raw_size > 100_000
    assert run.result.stats.restore_size > 3_000_000
    assert run.result.stats.snapshots_count == 1
    told = [each for each in bench.said(RunProgress) if each.run_id == work.run_id]
    assert told
    assert told[-1].fraction == 1
    assert told[-1].bytes_done == told[-1].total_bytes


async def test_flipped_bits_are_found_by_the_part_that_holds_them(
    bench: Bench, nas: Place, data: Path
) -> None:
    whole = await snapshot_at(bench, data, nas)
    others = set(nas.files("data"))
    (data / "new").write_bytes(os.urandom(1_000_000))
    hurt = await snapshot_at(bench, data, nas)
    pack = max(set(nas.files("data")) - others, key=lambda path: path.stat().st_size)
    flip(pack)
    part = int(pack.name[:2], 16) % 2 + 1

    structure = await bench.outcome(work_of(CheckRequested, nas))
    other = await bench.outcome(work_of(CheckRequested, nas, parts=2, read=(3 - part,)))
    found = await bench.outcome(work_of(CheckRequested, nas, parts=2, read=(part,)))

    assert (structure.status, other.status) == (RunStatus.SUCCESS, RunStatus.SUCCESS)
    assert found.status is RunStatus.FAILED
    assert found.failure is not None
    assert found.failure.code == "repository_damaged"
    assert f"pack {pack.name} contains" in found.failure.detail
    assert pack.name[:8] in found.failure.message
    assert hurt[:8] in found.failure.message
    assert isinstance(found.result, CheckResult)
    assert found.result.damaged_packs == (pack.name,)
    assert found.result.restic_snapshot_ids == (hurt,) != (whole,)


async def test_a_missing_pack_is_found_without_reading(
    bench: Bench, nas: Place, data: Path
) -> None:
    snapshot = await snapshot_at(bench, data, nas)
    pack = data_pack(nas)
    pack.unlink()

    run = await bench.outcome(work_of(CheckRequested, nas))

    assert run.failure is not None
    assert run.failure.code == "repository_damaged"
    assert isinstance(run.result, CheckResult)
    assert (run.result.damaged_packs, run.result.missing_packs) == ((), (pack.name,))
    assert run.result.restic_snapshot_ids == (snapshot,)


async def test_a_missing_index_is_damage_and_the_snapshots_are_named(
    bench: Bench, nas: Place, data: Path
) -> None:
    snapshot = await snapshot_at(bench, data, nas)
    for index in nas.files("index"):
        index.unlink()

    run = await bench.outcome(work_of(CheckRequested, nas))

    assert run.failure is not None
    assert run.failure.code == "repository_damaged"
    assert isinstance(run.result, CheckResult)
    assert run.result.restic_snapshot_ids == (snapshot,)
    assert not run.result.sound


async def test_a_check_runs_beside_a_backup(bench: Bench, nas: Place, data: Path) -> None:
    await snapshot_at(bench, data, nas)
    work = backup_of([data], nas)

    async with bench.doing(work) as backup:
        await until(lambda: nas.files("locks") or backup.done(), what="the backup's lock")
        run = await bench.outcome(work_of(CheckRequested, nas, parts=1, read=(1,)))

        assert run.status is RunStatus.SUCCESS, run.failure
        await backup
    assert not nas.files("locks")


async def test_a_cancelled_check_ends_at_once_and_leaves_no_lock(
    bench: Bench, nas: Place, data: Path
) -> None:
    await snapshot_at(bench, data, nas)
    work = work_of(CheckRequested, nas, parts=20, read=tuple(range(1, 21)))

    async with bench.doing(work) as check:
        await until(
            lambda: any(each.run_id == work.run_id for each in bench.said(RunProgress)),
            what="restic reads",
        )
        bench.heartbeat = HeartbeatReply(held=True, cancel=True)
        bench.desk.look(work.run_id)
        await check

    (run,) = [each for each in bench.said(RunCompleted) if each.run_id == work.run_id]
    assert (run.status, run.result) == (RunStatus.CANCELLED, None)
    assert not nas.files("locks")
