"""Forgets and prunes: what retention asks for, and what becomes of it."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from holdfast.catalog.answers.destinations import answer_list_destinations
from holdfast.catalog.answers.schedules import answer_get_prune_view, answer_get_retention_view
from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import (
    on_forget_requested,
    on_prune_requested,
    on_run_completed,
    on_snapshot_completed,
    on_snapshot_failed,
)
from holdfast.events.queries import (
    GetPruneView,
    GetRetentionView,
    ListDestinations,
)
from holdfast.events.retention import ForgetRequested, PruneRequested
from holdfast.events.run import (
    ForgetResult,
    Operation,
    PruneResult,
    RunStatus,
    Trigger,
)
from holdfast.events.views import RunView
from holdfast.kernel.errors import NotFoundError
from holdfast.kernel.ids import new_id
from support.catalog import Clock, published
from support.runs import (
    STAYS,
    Protected,
    claimed,
    claimed_run,
    protected_app,
    run_ended,
    run_of,
    snapshot_failed,
    snapshot_made,
    started,
)

pytestmark = pytest.mark.postgres


# ---- forget and prune


async def with_snapshots(deps: Deps, clock: Clock, *restic_ids: str) -> tuple[Protected, RunView]:
    protected = await protected_app(deps)
    for restic_id in restic_ids:
        clock.advance(days=1)
        run = await started(deps, protected)
        claim = (await claimed(deps, run.id)).claim
        await on_snapshot_completed(snapshot_made(run, claim, clock(), restic_id=restic_id), deps)
        await on_run_completed(run_ended(run, claim, clock()), deps)
    return protected, run


def forget(protected: Protected, at: datetime, *restic_ids: str) -> ForgetRequested:
    return ForgetRequested(
        event_id=new_id(),
        occurred_at=at,
        run_id=new_id(),
        configuration_id=protected.configuration_id,
        destination_id=protected.destination_ids[0],
        restic_snapshot_ids=restic_ids,
    )


async def retention_view(deps: Deps, protected: Protected, run_id: UUID) -> tuple[bool, list[str]]:
    view = await answer_get_retention_view(
        GetRetentionView(
            run_id=run_id,
            configuration_id=protected.configuration_id,
            destination_id=protected.destination_ids[0],
        ),
        deps,
    )
    assert view.keep.keep_daily == 7
    assert view.timezone == "Europe/Berlin"
    assert view.claim == await deps.pool.fetchval("select claim from run where id = $1", run_id)
    return view.recorded, [each.restic_snapshot_id for each in view.snapshots]


async def test_retention_sees_what_is_there_once_the_run_is_recorded(
    deps: Deps, clock: Clock
) -> None:
    protected, last = await with_snapshots(deps, clock, "aa11", "bb22")

    assert await retention_view(deps, protected, last.id) == (True, ["bb22", "aa11"])
    going = await started(deps, protected)
    assert (await retention_view(deps, protected, going.id))[0] is False
    assert (await retention_view(deps, protected, new_id()))[0] is False


async def test_retention_is_told_which_snapshots_are_partial(deps: Deps, clock: Clock) -> None:
    protected, _ = await with_snapshots(deps, clock, "aa11")
    clock.advance(days=1)
    run = await started(deps, protected)
    claim = (await claimed(deps, run.id)).claim
    made = snapshot_made(run, claim, clock(), restic_id="bb22", status=RunStatus.PARTIAL)
    await on_snapshot_completed(made, deps)

    view = await answer_get_retention_view(
        GetRetentionView(
            run_id=run.id,
            configuration_id=protected.configuration_id,
            destination_id=protected.destination_ids[0],
        ),
        deps,
    )

    assert [(each.restic_snapshot_id, each.is_complete) for each in view.snapshots] == [
        ("bb22", False),
        ("aa11", True),
    ]


async def test_forget_is_one_run_for_the_configurations_own_snapshots(
    deps: Deps, clock: Clock
) -> None:
    protected, last = await with_snapshots(deps, clock, "aa11", "bb22", "cc33")
    asked = forget(protected, clock(), "aa11", "bb22", "not-ours")

    for _ in range(2):
        await on_forget_requested(asked, deps)
    run = await run_of(deps, asked.run_id)
    assert (run.operation, run.trigger) == (Operation.FORGET, Trigger.RETENTION)
    work = await deps.pool.fetchval("select work from run where id = $1", run.id)
    assert work["restic_snapshot_ids"] == ["aa11", "bb22"]

    claim = (await claimed(deps, run.id)).claim
    ended = run_ended(
        run, claim, clock(), result=ForgetResult(restic_snapshot_ids=("aa11", "bb22"))
    )
    for _ in range(2):
        await on_run_completed(ended, deps)
        await on_forget_requested(asked, deps)

    assert await retention_view(deps, protected, last.id) == (True, ["cc33"])
    (destination,) = await answer_list_destinations(ListDestinations(), deps)
    assert destination.total_snapshots == 1
    assert await deps.pool.fetchval("select count(*) from run where operation = 'forget'") == 1


@pytest.mark.parametrize("status", [RunStatus.CANCELLED, RunStatus.FAILED])
async def test_what_a_forget_that_broke_off_has_forgotten_is_gone(
    deps: Deps, clock: Clock, status: RunStatus
) -> None:
    protected, last = await with_snapshots(deps, clock, "aa11", "bb22", "cc33")
    asked = forget(protected, clock(), "aa11", "bb22")
    await on_forget_requested(asked, deps)
    claim = (await claimed(deps, asked.run_id)).claim
    run = await run_of(deps, asked.run_id)
    result = ForgetResult(restic_snapshot_ids=("aa11",))

    await on_run_completed(
        run_ended(run, claim, clock(), status=status, failure=STAYS, result=result), deps
    )

    assert (await retention_view(deps, protected, last.id))[1] == ["cc33", "bb22"]


async def test_the_last_snapshots_are_never_forgotten(deps: Deps, clock: Clock) -> None:
    protected, last = await with_snapshots(deps, clock, "aa11", "bb22")

    await on_forget_requested(forget(protected, clock(), "aa11", "bb22"), deps)
    await on_forget_requested(forget(protected, clock(), "not-ours"), deps)

    assert await deps.pool.fetchval("select count(*) from run where operation = 'forget'") == 0
    assert len((await retention_view(deps, protected, last.id))[1]) == 2


async def prune_needed(deps: Deps, protected: Protected) -> bool:
    query = GetPruneView(destination_id=protected.destination_ids[0])
    return (await answer_get_prune_view(query, deps)).needed


async def test_a_prune_runs_when_there_is_something_to_free(deps: Deps, clock: Clock) -> None:
    protected, _ = await with_snapshots(deps, clock, "aa11", "bb22")
    (destination_id,) = protected.destination_ids
    asked = PruneRequested(
        event_id=new_id(), occurred_at=clock(), run_id=new_id(), destination_id=destination_id
    )

    assert not await prune_needed(deps, protected)
    await on_prune_requested(asked, deps)
    with pytest.raises(NotFoundError):
        await run_of(deps, asked.run_id)

    forgetting = forget(protected, clock(), "aa11")
    await on_forget_requested(forgetting, deps)
    run = await run_of(deps, forgetting.run_id)
    claim = (await claimed(deps, run.id)).claim
    result = ForgetResult(restic_snapshot_ids=("aa11",))
    await on_run_completed(run_ended(run, claim, clock(), result=result), deps)
    assert await prune_needed(deps, protected)

    for _ in range(2):
        await on_prune_requested(asked, deps)
    prune = await run_of(deps, asked.run_id)
    assert (prune.operation, prune.status) == (Operation.PRUNE, RunStatus.IN_PROGRESS)
    claim = (await claimed(deps, prune.id)).claim
    await on_run_completed(
        run_ended(prune, claim, clock(), result=PruneResult(repository_size=4321)), deps
    )

    assert not await prune_needed(deps, protected)
    (destination,) = await answer_list_destinations(ListDestinations(), deps)
    assert destination.total_size == 4321
    assert await deps.pool.fetchval("select last_pruned_at from destination") == clock()
    await on_prune_requested(asked, deps)
    assert await deps.pool.fetchval("select count(*) from run where operation = 'prune'") == 1


async def test_a_backup_that_broke_off_leaves_something_to_free(deps: Deps, clock: Clock) -> None:
    protected, run, claim = await claimed_run(deps)
    await on_snapshot_failed(snapshot_failed(run, claim, clock()), deps)
    await on_run_completed(run_ended(run, claim, clock(), status=RunStatus.FAILED), deps)

    assert await prune_needed(deps, protected)


async def test_exclusive_work_waits_for_the_backup_and_starts_with_its_end(
    deps: Deps, clock: Clock
) -> None:
    protected, _ = await with_snapshots(deps, clock, "aa11", "bb22")
    going = await started(deps, protected)
    claim = (await claimed(deps, going.id)).claim
    asked = forget(protected, clock(), "aa11")
    await on_forget_requested(asked, deps)
    assert (await run_of(deps, asked.run_id)).status is RunStatus.QUEUED

    await on_snapshot_completed(snapshot_made(going, claim, clock(), restic_id="cc33"), deps)
    await on_run_completed(run_ended(going, claim, clock()), deps)

    assert (await run_of(deps, asked.run_id)).status is RunStatus.IN_PROGRESS
    assert (await published(deps))[-1][0] == "forget.admitted"


async def restic_ids_of(deps: Deps, run_id: UUID) -> list[str]:
    work = await deps.pool.fetchval("select work from run where id = $1", run_id)
    return list(work["restic_snapshot_ids"])


async def test_a_forget_that_waits_takes_over_the_newer_plan(deps: Deps, clock: Clock) -> None:
    """Else they pile up behind the backups, and each locks the repository for itself."""
    protected, _ = await with_snapshots(deps, clock, "aa11", "bb22", "cc33", "dd44")
    await started(deps, protected)  # a forget has to wait for it
    old = forget(protected, clock(), "aa11")
    newer = forget(protected, clock() + timedelta(seconds=5), "aa11", "bb22")

    for event in (old, newer, old, newer):
        await on_forget_requested(event, deps)

    runs = await deps.pool.fetch("select id, status from run where operation = 'forget'")
    assert [(row["id"], row["status"]) for row in runs] == [(old.run_id, "queued")]
    assert await restic_ids_of(deps, old.run_id) == ["aa11", "bb22"]


async def test_a_forget_that_has_started_is_left_as_it_is(deps: Deps, clock: Clock) -> None:
    protected, _ = await with_snapshots(deps, clock, "aa11", "bb22", "cc33", "dd44")
    first = forget(protected, clock(), "aa11")
    second = forget(protected, clock() + timedelta(seconds=5), "aa11", "bb22")

    for event in (first, second):
        await on_forget_requested(event, deps)

    assert await restic_ids_of(deps, first.run_id) == ["aa11"]
    assert (await run_of(deps, first.run_id)).status is RunStatus.IN_PROGRESS
    assert (await run_of(deps, second.run_id)).status is RunStatus.QUEUED
