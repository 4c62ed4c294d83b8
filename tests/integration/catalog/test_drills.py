"""Drills in the catalog: due, asked for, from each destination in turn, and what they prove."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from holdfast.catalog.answers.apps import answer_list_apps
from holdfast.catalog.answers.configurations import (
    answer_delete_configuration,
    answer_get_configuration,
    answer_update_configuration,
)
from holdfast.catalog.answers.devices import answer_create_device, answer_remove_device
from holdfast.catalog.answers.discovery import answer_get_coverage
from holdfast.catalog.answers.drills import answer_start_drill
from holdfast.catalog.answers.schedules import answer_list_schedules
from holdfast.catalog.deps import Deps
from holdfast.catalog.drilling import AlreadyDrilledError, NothingToDrillError
from holdfast.catalog.handlers import on_drill_due, on_run_completed, on_snapshot_completed
from holdfast.events.drills import DrillMode, DrillResult, DrillSettings
from holdfast.events.due import DrillDue
from holdfast.events.queries import (
    CreateDevice,
    DeleteConfiguration,
    GetConfiguration,
    GetCoverage,
    ListApps,
    ListSchedules,
    RemoveDevice,
    ScheduleEntry,
    StartDrill,
    UpdateConfiguration,
)
from holdfast.events.run import Failure, RunStatus
from holdfast.events.views import ConfigurationView, RunView
from holdfast.kernel.errors import ConflictError, InvalidRequestError, NotFoundError
from holdfast.kernel.ids import new_id
from support.catalog import Clock
from support.runs import (
    Protected,
    claimed,
    claimed_run,
    protected_app,
    run_ended,
    run_of,
    snapshot_made,
)

pytestmark = pytest.mark.postgres


@pytest.fixture
async def backed_up(deps: Deps, clock: Clock) -> Protected:
    """At two destinations."""
    protected, run, claim = await claimed_run(deps, "A", "B")
    for place, restic_id in enumerate(("aa11", "bb22")):
        made = snapshot_made(run, claim, clock(), place=place, restic_id=restic_id)
        await on_snapshot_completed(made, deps)
    await on_run_completed(run_ended(run, claim, clock()), deps)
    return protected


def due_now(protected: Protected, clock: Clock) -> DrillDue:
    return DrillDue(
        event_id=new_id(),
        occurred_at=clock(),
        configuration_id=protected.configuration_id,
        scheduled_for=clock(),
    )


async def drills(deps: Deps) -> list[RunView]:
    rows = await deps.pool.fetch("select id from run where operation = 'drill' order by queued_at")
    return [await run_of(deps, row["id"]) for row in rows]


async def work_of(deps: Deps, run: RunView) -> Any:
    return await deps.pool.fetchval("select work from run where id = $1", run.id)


async def configuration_of(deps: Deps, protected: Protected) -> ConfigurationView:
    query = GetConfiguration(configuration_id=protected.configuration_id)
    return await answer_get_configuration(query, deps)


async def entries(deps: Deps) -> list[ScheduleEntry]:
    page = await answer_list_schedules(ListSchedules(), deps)
    return [each for each in page.entries if each.kind == "drill"]


async def set_drill(deps: Deps, protected: Protected, **fields: Any) -> ConfigurationView:
    query = UpdateConfiguration(
        configuration_id=protected.configuration_id, drill=DrillSettings(**fields)
    )
    return await answer_update_configuration(query, deps)


async def ended(
    deps: Deps, clock: Clock, run: RunView, status: RunStatus = RunStatus.SUCCESS
) -> None:
    """The run's executor says what came of it."""
    claim = (await claimed(deps, run.id)).claim
    result = DrillResult(
        mode=DrillMode.COMPARE,
        destination_id=run.destination_ids[0],
        restic_snapshot_id="aa11",
        files=3,
        bytes=12,
        restore_seconds=1.5,
    )
    failure = None if status is RunStatus.SUCCESS else Failure(code="not_proved", message="No.")
    await on_run_completed(
        run_ended(run, claim, clock(), status=status, failure=failure, result=result), deps
    )


async def start(deps: Deps, protected: Protected, snapshot_id: UUID | None = None) -> RunView:
    query = StartDrill(configuration_id=protected.configuration_id, snapshot_id=snapshot_id)
    return await run_of(deps, (await answer_start_drill(query, deps)).run_id)


async def test_every_configuration_is_drilled_once_a_month_unless_it_says_otherwise(
    deps: Deps, backed_up: Protected
) -> None:
    assert await entries(deps) == []
    unasked = replace_settings(deps, drills=True)
    (entry,) = await entries(unasked)
    assert entry.id == backed_up.configuration_id
    assert entry.schedule.endswith(" * *")
    assert entry.timezone == "Europe/Berlin"

    await set_drill(deps, backed_up, schedule="30 3 * * 6", timezone="UTC")
    (entry,) = await entries(deps)
    assert (entry.schedule, entry.timezone) == ("30 3 * * 6", "UTC")

    await set_drill(deps, backed_up, enabled=False)
    assert await entries(unasked) == []


def replace_settings(deps: Deps, **fields: Any) -> Deps:
    return Deps(**{**vars(deps), "settings": replace(deps.settings, **fields)})


async def test_a_new_schedule_counts_from_now(
    deps: Deps, clock: Clock, backed_up: Protected
) -> None:
    clock.advance(days=40)
    await set_drill(deps, backed_up, schedule="30 3 * * *")
    (entry,) = await entries(deps)
    assert entry.after == clock()

    clock.advance(days=1)
    await on_drill_due(due_now(backed_up, clock), deps)
    (entry,) = await entries(deps)
    assert entry.after == clock()


async def test_due_it_is_queued_once_and_proves_each_destination_in_turn(
    deps: Deps, clock: Clock, backed_up: Protected
) -> None:
    due = due_now(backed_up, clock)
    await on_drill_due(due, deps)
    await on_drill_due(due, deps)
    (first,) = await drills(deps)
    work = await work_of(deps, first)
    assert work["most_bytes"] == DrillSettings().most_bytes
    assert work["app_name"] == "immich"

    clock.advance(days=30)
    await on_drill_due(due_now(backed_up, clock), deps)
    assert len(await drills(deps)) == 1, "two would have one scratch directory"

    await ended(deps, clock, first, RunStatus.FAILED)
    for _ in range(2):
        clock.advance(days=30)
        await on_drill_due(due_now(backed_up, clock), deps)
        await ended(deps, clock, (await drills(deps))[-1])

    asked = [run.destination_ids[0] for run in await drills(deps)]
    assert set(asked[:2]) == set(backed_up.destination_ids)
    assert asked[2] == asked[0]
    snapshots = [(await work_of(deps, run))["restic_snapshot_id"] for run in await drills(deps)]
    assert set(snapshots[:2]) == {"aa11", "bb22"}


async def test_the_last_proof_is_told_of_configuration_app_and_coverage(
    deps: Deps, clock: Clock, backed_up: Protected
) -> None:
    assert (await configuration_of(deps, backed_up)).last_proof is None
    proved_at = clock.advance(hours=1)
    await ended(deps, clock, await start(deps, backed_up))
    clock.advance(hours=1)
    await ended(deps, clock, await start(deps, backed_up), RunStatus.FAILED)

    view = await configuration_of(deps, backed_up)
    assert view.last_proof is not None
    assert view.last_proof.at == proved_at
    assert view.last_proof.result.restore_seconds == 1.5
    (app,) = await answer_list_apps(ListApps(), deps)
    assert app.last_proved_restorable_at == proved_at
    (entry,) = await answer_get_coverage(GetCoverage(), deps)
    assert entry.last_proved_restorable_at == proved_at
    assert (await set_drill(deps, backed_up, enabled=False)).last_proof == view.last_proof


async def test_what_is_asked_for_and_cannot_be_is_refused(
    deps: Deps, clock: Clock, backed_up: Protected
) -> None:
    other = await protected_app(deps, name="paperless", destinations=("A", "B"))
    with pytest.raises(NothingToDrillError):
        await start(deps, other)
    (snapshot_id,) = await deps.pool.fetchrow(
        "select id from snapshot where restic_snapshot_id = 'bb22'"
    )
    with pytest.raises(InvalidRequestError, match="no snapshot of this configuration"):
        await start(deps, other, snapshot_id)

    run = await start(deps, backed_up, snapshot_id)
    assert (await work_of(deps, run))["restic_snapshot_id"] == "bb22"
    with pytest.raises(AlreadyDrilledError, match=str(run.id)):
        await start(deps, backed_up)
    await ended(deps, clock, run)

    gone = DeleteConfiguration(configuration_id=backed_up.configuration_id)
    await answer_delete_configuration(gone, deps)
    with pytest.raises(NotFoundError):
        await start(deps, backed_up)
    await on_drill_due(due_now(backed_up, clock), deps)
    assert len(await drills(deps)) == 1


async def test_a_time_in_the_future_or_with_nothing_to_drill_starts_nothing(
    deps: Deps, clock: Clock, backed_up: Protected
) -> None:
    ahead = replace(due_now(backed_up, clock), scheduled_for=clock() + timedelta(days=1))
    await on_drill_due(ahead, deps)
    empty = await protected_app(deps, name="paperless", destinations=("A", "B"))
    await on_drill_due(due_now(empty, clock), deps)

    assert await drills(deps) == []


async def test_a_device_of_choice_is_known_and_stays_for_as_long_as_it_is_needed(
    deps: Deps, clock: Clock, backed_up: Protected
) -> None:
    with pytest.raises(InvalidRequestError, match="there is no device"):
        await set_drill(deps, backed_up, device_id=new_id(), scratch_path="/mnt/big")
    lab = await answer_create_device(CreateDevice(name="lab", type="local"), deps)
    await set_drill(deps, backed_up, device_id=lab.id, scratch_path="/mnt/big")
    with pytest.raises(ConflictError, match=f"The drills of {backed_up.app.name} are made on it"):
        await answer_remove_device(RemoveDevice(device_id=lab.id), deps)

    run = await start(deps, backed_up)

    assert (await work_of(deps, run))["scratch_path"] == "/mnt/big"
    device_id = await deps.pool.fetchval("select device_id from run where id = $1", run.id)
    assert device_id == lab.id
    await ended(deps, clock, run)
