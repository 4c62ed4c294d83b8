"""The protection test on real restic, rclone and S3: what it says is what is so."""

import shutil
from pathlib import Path

import msgspec
import pytest

from holdfast.events.run import Attack, ProtectionTestResult, RunStatus
from holdfast.events.work import ProtectionTestRequested
from holdfast.executor.operations.protection_test import CANARIES
from holdfast.restic.commands import check, snapshots
from support.executor import Bench, Place, backup_of, work_of

pytestmark = pytest.mark.restic


def guarded(place: Place, bench: Bench) -> Place:
    changed = Place(msgspec.structs.replace(place.address, append_only=True), place.secrets)
    bench.knows(changed)
    return changed


async def result_of(bench: Bench, place: Place) -> ProtectionTestResult:
    run = await bench.outcome(work_of(ProtectionTestRequested, place))
    assert run.status is RunStatus.SUCCESS, run.failure
    assert isinstance(run.result, ProtectionTestResult)
    return run.result


def refused(result: ProtectionTestResult) -> set[Attack]:
    return {each.attack for each in result.attacks if each.refused}


async def test_append_only_refuses_every_attack_and_no_canary_stays(
    place: Place, bench: Bench, data: Path
) -> None:
    await bench.outcome(backup_of([data], place))

    result = await result_of(bench, guarded(place, bench))

    assert refused(result) == set(Attack), result
    assert result.append_only
    assert result.canary_removed
    direct = bench.restic(place)
    assert len(await snapshots.run(direct)) == 1
    await check.run(direct, check.CheckOptions(read_part=(1, 1)))


async def test_without_it_nothing_is_refused_and_real_data_is_not_touched(
    nas: Place, bench: Bench, data: Path
) -> None:
    await bench.outcome(backup_of([data], nas))
    before = _all(nas)

    result = await result_of(bench, nas)

    assert refused(result) == set(), result
    assert not result.append_only
    assert result.canary_removed
    assert _all(nas) == before


async def test_a_canary_that_a_dead_test_left_is_removed(nas: Place, bench: Bench) -> None:
    left = Path(nas.address.local_path) / CANARIES / "of-somebody-dead" / "data"
    left.mkdir(parents=True)
    (left / "pack").write_bytes(b"x")

    await result_of(bench, guarded(nas, bench))

    assert not left.parent.parent.exists()


async def test_a_destination_that_is_not_there_is_not_written_to(nas: Place, bench: Bench) -> None:
    place = Path(nas.address.local_path)
    shutil.rmtree(place)
    place.mkdir()  # as where a disk is not mounted

    run = await bench.outcome(work_of(ProtectionTestRequested, nas))

    assert run.status is RunStatus.FAILED
    assert run.failure is not None
    assert run.failure.code == "repository_missing"
    assert list(place.iterdir()) == []


def _all(place: Place) -> dict[str, bytes]:
    root = Path(place.address.local_path)
    return {str(each): each.read_bytes() for each in root.rglob("*") if each.is_file()}
