"""Cancelling a run, in every state that it can be in."""

import asyncio

import pytest

from holdfast.catalog.answers.runs import answer_cancel_run
from holdfast.catalog.answers.snapshots import answer_get_snapshot
from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import (
    on_run_completed,
    on_snapshot_completed,
    on_snapshot_failed,
)
from holdfast.events.queries import CancelRun, GetSnapshot
from holdfast.events.run import Failure, RunStatus
from holdfast.kernel.errors import ConflictError, NotFoundError
from holdfast.kernel.ids import new_id
from support.catalog import Clock, published
from support.destinations import add_local
from support.runs import (
    claimed,
    protected_app,
    run_ended,
    run_of,
    snapshot_failed,
    snapshot_made,
    started,
)

pytestmark = pytest.mark.postgres


async def snapshot_status(deps: Deps, run_id: object) -> set[str]:
    rows = await deps.pool.fetch("select status from snapshot where run_id = $1", run_id)
    return {row["status"] for row in rows}


async def test_what_waits_is_cancelled_at_once(deps: Deps, clock: Clock) -> None:
    names = ("one", "two", "three")
    runs = [await started(deps, await protected_app(deps, name=name)) for name in names]
    assert [run.status.value for run in runs] == ["in_progress", "in_progress", "queued"]

    view = await answer_cancel_run(CancelRun(run_id=runs[2].id), deps)

    assert (view.status, view.completed_at) == (RunStatus.CANCELLED, clock())
    assert await snapshot_status(deps, view.id) == {"cancelled"}
    (type_, told) = (await published(deps))[-1]
    assert (type_, told["status"], told["run_id"]) == ("run.completed", "cancelled", str(view.id))


async def test_what_nobody_has_taken_up_is_cancelled_and_makes_room(deps: Deps) -> None:
    names = ("one", "two", "three")
    runs = [await started(deps, await protected_app(deps, name=name)) for name in names]

    await answer_cancel_run(CancelRun(run_id=runs[0].id), deps)

    assert (await run_of(deps, runs[2].id)).status is RunStatus.IN_PROGRESS
    answer = await claimed(deps, runs[0].id)
    assert (answer.granted, answer.wait_seconds) == (False, 0)


async def test_of_a_destination_that_is_being_added_nothing_stays(deps: Deps) -> None:
    accepted = await add_local(deps, "A", "/mnt/a")

    await answer_cancel_run(CancelRun(run_id=accepted.run_id), deps)

    assert await deps.pool.fetchval("select count(*) from destination") == 0
    await add_local(deps, "A", "/mnt/a")


async def test_the_executor_that_has_it_is_told_and_has_the_last_word(
    deps: Deps, clock: Clock
) -> None:
    run = await started(deps, await protected_app(deps, destinations=("A", "B")))
    claim = (await claimed(deps, run.id)).claim
    await on_snapshot_completed(snapshot_made(run, claim, clock()), deps)

    for _ in range(2):
        view = await answer_cancel_run(CancelRun(run_id=run.id), deps)
    told = [body["event_id"] for type_, body in await published(deps) if "cancel" in type_]
    stopped = Failure(code="cancelled", message="It was cancelled.")
    await on_snapshot_failed(
        snapshot_failed(run, claim, clock(), place=1, failure=stopped, status=RunStatus.CANCELLED),
        deps,
    )
    await on_run_completed(run_ended(run, claim, clock(), status=RunStatus.CANCELLED), deps)

    assert (view.status, view.cancel_requested_at) == (RunStatus.IN_PROGRESS, clock())
    assert told
    assert len(set(told)) == 1  # the stream drops the repeat
    after = await run_of(deps, run.id)
    assert after.status is RunStatus.CANCELLED
    first = await answer_get_snapshot(GetSnapshot(snapshot_id=run.snapshot_ids[0]), deps)
    assert first.status is RunStatus.SUCCESS
    assert await deps.pool.fetchval("select count(*) from run where trigger = 'retry'") == 0


async def test_what_has_ended_cannot_be_cancelled(deps: Deps, clock: Clock) -> None:
    run = await started(deps, await protected_app(deps))
    await answer_cancel_run(CancelRun(run_id=run.id), deps)

    with pytest.raises(ConflictError) as caught:
        await answer_cancel_run(CancelRun(run_id=run.id), deps)

    assert caught.value.code == "run_ended"
    with pytest.raises(NotFoundError):
        await answer_cancel_run(CancelRun(run_id=new_id()), deps)


async def test_claimed_and_cancelled_at_once_it_is_one_or_the_other(deps: Deps) -> None:
    protected = await protected_app(deps)
    for _ in range(10):
        run = await started(deps, protected)

        claim, view = await asyncio.gather(
            claimed(deps, run.id), answer_cancel_run(CancelRun(run_id=run.id), deps)
        )

        assert claim.granted == (view.status is RunStatus.IN_PROGRESS)
        assert claim.granted == (view.cancel_requested_at is not None)
        await deps.pool.execute("update run set status = 'cancelled' where id = $1", run.id)


async def test_many_that_end_and_start_at_once_do_not_get_in_each_others_way(
    deps: Deps, clock: Clock
) -> None:
    """Cancels lock a run and then admit; admission locks the runs that it lets in."""
    apps = [await protected_app(deps, name=f"app-{number}") for number in range(12)]

    for _ in range(4):
        runs = [await started(deps, app) for app in apps]
        ended = await asyncio.gather(
            *(answer_cancel_run(CancelRun(run_id=run.id), deps) for run in runs)
        )
        assert {view.status for view in ended} == {RunStatus.CANCELLED}
    assert await deps.pool.fetchval("select count(*) from run where status = 'queued'") == 0
