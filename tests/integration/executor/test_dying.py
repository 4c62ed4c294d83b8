"""Killed at any step of a mirror or a repair, whoever takes it up ends with whole repositories."""

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast.events.queries import ListSnapshots
from holdfast.events.run import HealResult, RunStatus
from holdfast.events.snapshot import SnapshotCompleted, Way
from holdfast.events.views import SnapshotPage
from holdfast.events.work import FanOut, HealRequested
from holdfast.restic.commands import check, snapshots
from holdfast.restic.commands.check import CheckOptions
from support.dying import NEVER, die_at
from support.executor import Bench, Place, backup_of, local_place, row_of, work_of
from support.trees import make_tree

pytestmark = pytest.mark.restic

DEATHS = int(os.environ.get("HOLDFAST_TEST_DEATHS", "6"))
"""Of the steps of a run, about so many are tried, evenly spread."""


@pytest.fixture
async def usb(bench: Bench, nas: Place, tmp_path: Path) -> Place:
    (tmp_path / "usb").mkdir()
    return await bench.initialise(local_place(tmp_path / "usb", "usb"), first=nas)


async def insist_on_soundness(bench: Bench, *places: Place) -> None:
    for place in places:
        found = await check.run(bench.restic(place), CheckOptions(read_part=(1, 1)))
        assert found.sound, f"{place.address.name}: {found.detail}"


async def test_killed_at_any_step_of_a_mirror(
    bench: Bench, nas: Place, usb: Place, tmp_path: Path
) -> None:
    data = make_tree(tmp_path / "data")
    (data / "more").write_bytes(b"1" * 5_000_000)
    total = die_at(bench, backup_of([data], nas, usb, fan_out=FanOut.MIRROR), [nas, usb], NEVER)
    assert total is not None
    assert total > DEATHS
    deaths = 0

    for step in range(0, total, max(1, total // DEATHS)):
        (data / "changing").write_bytes(f"{step}".encode() * 300_000)
        work = backup_of([data], nas, usb, fan_out=FanOut.MIRROR)
        deaths += die_at(bench, work, [nas, usb], step) is None

        bench.claim = 2
        run = await bench.outcome(work)

        assert run.status is RunStatus.SUCCESS, run.failure
        said = [each for each in bench.said(SnapshotCompleted) if each.run_id == work.run_id]
        assert len({each.tree for each in said}) == 1
        for place in (nas, usb):
            made = await snapshots.run(bench.restic(place))
            assert len([each for each in made if f"run:{work.run_id}" in each.tags]) == 1
        assert not usb.files("locks")
        await insist_on_soundness(bench, usb)

    assert deaths > DEATHS // 2
    await insist_on_soundness(bench, nas)


async def test_killed_at_any_step_of_a_repair(
    bench: Bench, nas: Place, usb: Place, tmp_path: Path
) -> None:
    """One pack that a sibling has as it is, one that only its snapshots can bring back."""
    data = make_tree(tmp_path / "data")
    (data / "big").write_bytes(b"big" * 1_000_000)
    await bench.outcome(backup_of([data], nas, usb, fan_out=FanOut.MIRROR))
    (data / "other").write_bytes(b"other" * 100_000)
    await bench.outcome(backup_of([data], nas, usb, fan_out=FanOut.PARALLEL))
    assert bench.said(SnapshotCompleted)[-1].way is Way.BACKUP
    replaced: dict[str, str] = {}

    def on_record(query: ListSnapshots) -> SnapshotPage:
        """As the catalog has it after each repair that was told of."""
        rows = [row_of(each) for each in bench.said(SnapshotCompleted)]
        return SnapshotPage(
            snapshots=tuple(
                replace(row, restic_snapshot_id=replaced.get(row.id.hex, row.restic_snapshot_id))
                for row in rows
                if row.destination_id == query.destination_id
            )
        )

    bench.bus.answers[ListSnapshots] = on_record

    def lose_everything() -> HealRequested:
        for pack in usb.files("data"):
            pack.unlink()
        work: HealRequested = work_of(HealRequested, usb, siblings=(nas.address,))
        return work

    total = die_at(bench, lose_everything(), [nas, usb], NEVER)
    assert total is not None
    assert total > DEATHS
    deaths = 0

    for step in range(0, total, max(1, total // DEATHS)):
        work = lose_everything()
        deaths += die_at(bench, work, [nas, usb], step) is None

        bench.claim = 2
        run = await bench.outcome(work)

        assert run.status is RunStatus.SUCCESS, run.failure
        assert isinstance(run.result, HealResult)
        for row in on_record(ListSnapshots(destination_id=usb.id)).snapshots:
            if (old := row.restic_snapshot_id) and old in run.result.replaced:
                replaced[row.id.hex] = run.result.replaced[old]
        recorded = on_record(ListSnapshots(destination_id=usb.id)).snapshots
        here = {each.id for each in await snapshots.run(bench.restic(usb))}
        assert here == {each.restic_snapshot_id for each in recorded}
        await insist_on_soundness(bench, usb)

    assert deaths > DEATHS // 2
