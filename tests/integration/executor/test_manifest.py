"""The settings that a repository carries: written when they changed, found again, thinned out."""

from pathlib import Path

import msgspec
import pytest

from holdfast.events.portable import Export, PortableDevice
from holdfast.events.queries import Done, GetManifest, ManifestDue, ManifestFound, ManifestKept
from holdfast.events.run import RebuildResult, RunStatus
from holdfast.events.work import PruneAdmitted, RebuildRequested
from holdfast.executor.manifest import KEPT
from holdfast.kernel.clock import utc_now
from holdfast.kernel.errors import UnavailableError
from holdfast.kernel.ids import new_id
from holdfast.restic.commands import snapshots
from holdfast.restic.commands.snapshots import Snapshot, SnapshotsOptions
from holdfast.restic.tags import MANIFEST
from support.executor import Bench, Place, backup_of, local_place, work_of

pytestmark = pytest.mark.restic


def export(name: str) -> Export:
    now = utc_now()
    device = PortableDevice(id=new_id(), created_at=now, name=name, type="local", site="main")
    return Export(instance_id=new_id(), exported_at=now, devices=(device,))


def due(bench: Bench, *places: Place, settings: Export) -> None:
    """Until they are kept, the settings are due at these places."""
    left = {place.id for place in places}

    def answer(query: GetManifest) -> ManifestDue:
        now = tuple(each for each in query.destination_ids if each in left)
        return ManifestDue(destination_ids=now, digest="new", export=settings if now else None)

    def kept(word: ManifestKept) -> Done:
        assert word.digest == "new"
        left.discard(word.destination_id)
        return Done()

    bench.bus.answers |= {GetManifest: answer, ManifestKept: kept}


async def manifests(bench: Bench, place: Place) -> tuple[Snapshot, ...]:
    return await snapshots.run(bench.restic(place), SnapshotsOptions(tags=(MANIFEST,)))


async def test_changed_settings_go_along_with_the_next_backup_and_only_once(
    bench: Bench, nas: Place, data: Path
) -> None:
    settings = export("of the house")
    due(bench, nas, settings=settings)

    for _ in range(2):
        assert (await bench.outcome(backup_of([data], nas))).status is RunStatus.SUCCESS

    (manifest,) = await manifests(bench, nas)
    assert manifest.paths == ("/holdfast-manifest.json",)
    found: list[ManifestFound] = []

    def keep(query: ManifestFound) -> Done:
        found.append(query)
        return Done()

    bench.bus.answers[ManifestFound] = keep
    work = work_of(RebuildRequested, nas)
    run = await bench.outcome(work)
    assert isinstance(run.result, RebuildResult)
    assert run.result.manifest_at == settings.exported_at
    assert len(run.result.repository_id) == 64
    assert [(each.run_id, each.claim, each.export) for each in found] == [
        (work.run_id, 1, settings)
    ]


async def test_a_repository_without_settings_says_so(bench: Bench, nas: Place) -> None:
    run = await bench.outcome(work_of(RebuildRequested, nas))

    assert run.status is RunStatus.SUCCESS
    assert isinstance(run.result, RebuildResult)
    assert run.result.manifest_at is None


async def test_a_backup_stays_what_it_is_when_the_settings_cannot_go_along(
    bench: Bench, nas: Place, data: Path
) -> None:
    def away(_: GetManifest) -> ManifestDue:
        raise UnavailableError

    bench.bus.answers[GetManifest] = away

    run = await bench.outcome(backup_of([data], nas))

    assert run.status is RunStatus.SUCCESS
    assert await manifests(bench, nas) == ()


async def test_one_destination_away_does_not_keep_the_settings_from_the_other(
    bench: Bench, nas: Place, data: Path, tmp_path: Path
) -> None:
    away = local_place(tmp_path / "not mounted", "attic")
    bench.knows(away)
    due(bench, away, nas, settings=export("house"))

    run = await bench.outcome(backup_of([data], away, nas))

    assert run.status is RunStatus.PARTIAL
    assert len(await manifests(bench, nas)) == 1


async def test_a_prune_leaves_the_last_few(bench: Bench, nas: Place, data: Path) -> None:
    for number in range(KEPT + 2):
        due(bench, nas, settings=export(f"house {number}"))
        await bench.outcome(backup_of([data], nas))
    before = await manifests(bench, nas)
    assert len(before) == KEPT + 2

    run = await bench.outcome(work_of(PruneAdmitted, nas))

    assert run.status is RunStatus.SUCCESS, run.failure
    assert await manifests(bench, nas) == before[-KEPT:]
    # No app's snapshot is touched.
    assert len(await snapshots.run(bench.restic(nas))) == 2 * KEPT + 2


async def test_settings_are_on_no_disk_in_plain(bench: Bench, nas: Place, data: Path) -> None:
    due(bench, nas, settings=export("a-name-to-look-for"))
    await bench.outcome(backup_of([data], nas))

    places = (bench.deps.cache, Path(nas.address.local_path))
    files = [each for place in places for each in place.rglob("*") if each.is_file()]
    assert len(await manifests(bench, nas)) == 1
    assert not any(b"a-name-to-look-for" in each.read_bytes() for each in files)


def test_an_export_of_a_later_release_with_more_in_it_is_read() -> None:
    more = msgspec.to_builtins(export("house")) | {"something_new": [1]}

    assert msgspec.convert(more, Export).devices[0].name == "house"
