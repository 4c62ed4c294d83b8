"""What is asked of a restore before what was there before it may be removed."""

from uuid import UUID

import pytest

from holdfast.catalog.answers.app_restores import answer_restore_app
from holdfast.catalog.answers.discards import answer_discard_previous
from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import on_run_completed, on_snapshot_completed
from holdfast.events.queries import DiscardPrevious, RestoreApp
from holdfast.events.restoring import AppRestoreResult
from holdfast.kernel.errors import ConflictError, NotFoundError
from holdfast.kernel.ids import new_id
from support.catalog import Clock
from support.runs import (
    Protected,
    added_app,
    claimed,
    claimed_run,
    run_ended,
    run_of,
    snapshot_made,
)

pytestmark = pytest.mark.postgres


@pytest.fixture
async def protected(deps: Deps, clock: Clock) -> Protected:
    """An app with a snapshot."""
    protected, run, claim = await claimed_run(deps, "A")
    await on_snapshot_completed(snapshot_made(run, claim, clock(), restic_id="aa11"), deps)
    await on_run_completed(run_ended(run, claim, clock()), deps)
    return protected


async def restored(deps: Deps, clock: Clock, of: Protected, *, dry_run: bool = False) -> UUID:
    """A restore of the app that has ended."""
    run_id = await restoring(deps, of, dry_run=dry_run)
    claim = (await claimed(deps, run_id)).claim
    result = AppRestoreResult(dry_run=dry_run, places=())
    ended = run_ended(await run_of(deps, run_id), claim, clock(), result=result)
    await on_run_completed(ended, deps)
    return run_id


async def restoring(deps: Deps, of: Protected, *, dry_run: bool = False) -> UUID:
    snapshot = await deps.pool.fetchval("select id from snapshot where restic_snapshot_id = 'aa11'")
    query = RestoreApp(app_id=of.app.id, snapshot_id=snapshot, dry_run=dry_run)
    return (await answer_restore_app(query, deps)).run_id


async def test_it_is_asked_where_the_restore_was_and_may_begin(
    deps: Deps, clock: Clock, protected: Protected
) -> None:
    restore = await restored(deps, clock, protected)

    accepted = await answer_discard_previous(
        DiscardPrevious(app_id=protected.app.id, run_id=restore), deps
    )

    work = await deps.pool.fetchval("select work from run where id = $1", accepted.run_id)
    assert UUID(work["restore_run_id"]) == restore
    assert UUID(work["app_id"]) == protected.app.id
    assert (await claimed(deps, accepted.run_id)).granted


async def test_while_the_restore_is_going_it_is_refused(deps: Deps, protected: Protected) -> None:
    going = await restoring(deps, protected)

    with pytest.raises(ConflictError, match="still going"):
        await answer_discard_previous(DiscardPrevious(app_id=protected.app.id, run_id=going), deps)


async def test_while_another_restore_is_going_it_waits(
    deps: Deps, clock: Clock, protected: Protected
) -> None:
    restore = await restored(deps, clock, protected)
    await restoring(deps, protected)

    accepted = await answer_discard_previous(
        DiscardPrevious(app_id=protected.app.id, run_id=restore), deps
    )

    assert not (await claimed(deps, accepted.run_id)).granted


async def test_a_dry_run_has_set_nothing_aside(
    deps: Deps, clock: Clock, protected: Protected
) -> None:
    looked = await restored(deps, clock, protected, dry_run=True)

    with pytest.raises(ConflictError, match="dry run"):
        await answer_discard_previous(DiscardPrevious(app_id=protected.app.id, run_id=looked), deps)


async def test_only_a_restore_of_that_app_is_known(
    deps: Deps, clock: Clock, protected: Protected
) -> None:
    restore = await restored(deps, clock, protected)
    other = await added_app(deps, "other")
    backup = await deps.pool.fetchval("select id from run where operation = 'backup'")

    for app_id, run_id in (
        (other.id, restore),
        (protected.app.id, backup),
        (protected.app.id, new_id()),
        (new_id(), restore),
    ):
        with pytest.raises(NotFoundError):
            await answer_discard_previous(DiscardPrevious(app_id=app_id, run_id=run_id), deps)
