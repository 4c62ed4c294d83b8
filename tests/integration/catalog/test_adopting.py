"""Snapshots found in a repository: on record once, as whose they are."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from holdfast.catalog.adopting import record_found
from holdfast.catalog.answers.apps import answer_create_app
from holdfast.catalog.answers.configurations import answer_list_configurations
from holdfast.catalog.answers.destinations import answer_import_snapshots
from holdfast.catalog.answers.devices import answer_list_devices
from holdfast.catalog.answers.runs import answer_list_runs
from holdfast.catalog.answers.snapshots import answer_list_snapshots
from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.run import backup_tags
from holdfast.catalog.store.pool import transaction
from holdfast.events.queries import (
    CreateApp,
    ImportSnapshots,
    ListConfigurations,
    ListDevices,
    ListRuns,
    ListSnapshots,
)
from holdfast.events.run import Operation, RunStatus, Trigger
from holdfast.events.snapshot import FoundSnapshot, SnapshotsFound
from holdfast.events.views import SnapshotView
from holdfast.kernel.ids import derived_id, new_id
from holdfast.restic.tags import MANIFEST
from support.catalog import Clock
from support.destinations import ready_destination

pytestmark = pytest.mark.postgres


async def tell(
    deps: Deps, destination_id: UUID, *found: FoundSnapshot, rebuilding: bool = False
) -> None:
    """As an import run does."""
    run = await answer_import_snapshots(ImportSnapshots(destination_id=destination_id), deps)
    event = SnapshotsFound(
        event_id=new_id(),
        occurred_at=deps.now(),
        run_id=run.run_id,
        claim=1,
        destination_id=destination_id,
        snapshots=found,
    )
    for _ in range(2):  # an event may come twice
        async with transaction(deps.pool) as connection:
            await record_found(connection, event, deps.now(), rebuilding=rebuilding)


async def on_record(deps: Deps) -> tuple[SnapshotView, ...]:
    return (await answer_list_snapshots(ListSnapshots(), deps)).snapshots


@pytest.fixture
def found(clock: Clock) -> FoundSnapshot:
    return FoundSnapshot(
        restic_snapshot_id="a" * 64,
        hostname="nas",
        paths=("/srv/wiki", "/srv/Extra"),
        taken_at=clock() - timedelta(days=3),
        files_new=4,
        total_bytes_processed=1000,
        duration_seconds=2.5,
    )


async def app(deps: Deps) -> tuple[UUID, UUID]:
    """An app with a configuration of the default policy: their ids."""
    (device,) = await answer_list_devices(ListDevices(), deps)
    made = await answer_create_app(
        CreateApp(name="wiki", device_id=device.id, paths=("/srv/wiki", "/srv/Extra")), deps
    )
    (tie,) = await answer_list_configurations(ListConfigurations(app_id=made.id), deps)
    return made.id, tie.id


def ours(found: FoundSnapshot, app_id: UUID, tie_id: UUID, run_id: UUID) -> FoundSnapshot:
    return replace(found, tags=backup_tags(app_id, tie_id, run_id, new_id()))


async def test_one_of_ours_has_the_ids_that_it_had(deps: Deps, found: FoundSnapshot) -> None:
    places = [await ready_destination(deps, name) for name in ("nas", "attic")]
    app_id, tie_id = await app(deps)
    run_id = new_id()
    for number, place in enumerate(places):
        copy = replace(ours(found, app_id, tie_id, run_id), restic_snapshot_id=str(number) * 64)
        await tell(deps, place, copy)

    rows = await on_record(deps)

    assert {each.id for each in rows} == {derived_id("snapshot", run_id, each) for each in places}
    assert {(each.run_id, each.app_id, each.configuration_id) for each in rows} == {
        (run_id, app_id, tie_id)
    }
    assert all(each.status is RunStatus.SUCCESS for each in rows)
    assert rows[0].completed_at == rows[0].started_at + timedelta(seconds=2.5)
    page = await answer_list_runs(ListRuns(operation=Operation.BACKUP), deps)
    (run,) = page.runs
    assert (run.id, run.trigger, run.status) == (run_id, Trigger.REBUILD, RunStatus.SUCCESS)
    assert set(run.destination_ids) == set(places)
    assert (run.started_at, run.app_id) == (found.taken_at, app_id)


async def test_the_settings_are_nobodys_snapshot(deps: Deps, found: FoundSnapshot) -> None:
    place = await ready_destination(deps, "nas")

    await tell(deps, place, replace(found, tags=(MANIFEST,)))

    assert await on_record(deps) == ()


@pytest.mark.parametrize(
    ("change", "is_known"),
    [
        ({}, True),
        ({"paths": ("/srv/Extra", "/srv/wiki")}, True),
        ({"paths": ("/srv/wiki",)}, False),
        ({"hostname": "laptop"}, False),
        ({"hostname": "backrest", "paths": ("/x",), "tags": ("plan:wiki",)}, True),
        ({"hostname": "else", "tags": ("ar:location:wiki", "other")}, True),
        ({"hostname": "else", "tags": ("plan:blog",)}, False),
    ],
)
async def test_one_of_another_tool_belongs_to_the_app_of_its_paths_or_name(
    deps: Deps, found: FoundSnapshot, change: dict[str, Any], is_known: bool
) -> None:
    place = await ready_destination(deps, "nas")
    app_id, _ = await app(deps)

    await tell(deps, place, replace(found, **change))

    (row,) = await on_record(deps)
    assert row.app_id == (app_id if is_known else None)
    assert row.restic_snapshot_id == "a" * 64


async def test_nobodys_becomes_somebodys_once_it_is_known(deps: Deps, found: FoundSnapshot) -> None:
    place = await ready_destination(deps, "nas")
    await tell(deps, place, found)
    (before,) = await on_record(deps)
    app_id, _ = await app(deps)

    await tell(deps, place, found)

    (row,) = await on_record(deps)
    assert (before.app_id, row.app_id) == (None, app_id)


@pytest.mark.parametrize("rebuilding", [False, True])
async def test_only_a_rebuild_makes_apps_of_tags(
    deps: Deps, found: FoundSnapshot, rebuilding: bool
) -> None:
    place = await ready_destination(deps, "nas")
    app_id, tie_id = new_id(), new_id()

    await tell(deps, place, ours(found, app_id, tie_id, new_id()), rebuilding=rebuilding)

    (row,) = await on_record(deps)
    ties = await answer_list_configurations(ListConfigurations(app_id=app_id), deps)
    if rebuilding:
        assert (row.app_id, row.configuration_id) == (app_id, tie_id)
        assert [(each.id, each.enabled) for each in ties] == [(tie_id, False)]
    else:
        assert (row.app_id, row.configuration_id, ties) == (None, None, ())
