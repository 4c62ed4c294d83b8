"""What executors say, and what the catalog makes of it: once, in any order, fenced."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from holdfast.bus.errors import RetryLater
from holdfast.catalog.answers.configurations import answer_delete_configuration
from holdfast.catalog.answers.destinations import answer_list_destinations
from holdfast.catalog.answers.snapshots import answer_get_snapshot
from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import (
    ORDER_PATIENCE,
    on_run_completed,
    on_snapshot_completed,
    on_snapshot_failed,
)
from holdfast.catalog.keeper import Keeper
from holdfast.catalog.store.destinations import sealed_secrets
from holdfast.events.queries import (
    DeleteConfiguration,
    GetSnapshot,
    ListDestinations,
)
from holdfast.events.run import (
    Failure,
    InitResult,
    RunStatus,
)
from holdfast.events.views import RunView, SnapshotView
from support.catalog import Clock, published
from support.destinations import add_local
from support.runs import (
    PASSES,
    STAYS,
    claimed,
    claimed_run,
    run_ended,
    run_of,
    snapshot_failed,
    snapshot_made,
)

pytestmark = pytest.mark.postgres


async def row(deps: Deps, run: RunView, place: int = 0) -> SnapshotView:
    return await answer_get_snapshot(GetSnapshot(snapshot_id=run.snapshot_ids[place]), deps)


async def retries(deps: Deps) -> list[RunView]:
    rows = await deps.pool.fetch("select id from run where trigger = 'retry' order by queued_at")
    return [await run_of(deps, each["id"]) for each in rows]


async def all_rows(deps: Deps) -> list[object]:
    tables = ("run", "snapshot", "destination", "expected_run")
    return [
        [dict(each) for each in await deps.pool.fetch(f"select * from {table} order by 1, 2")]
        for table in tables
    ]


# ---- backups


async def test_what_restic_made_is_on_record_and_twice_changes_nothing(
    deps: Deps, clock: Clock
) -> None:
    _, run, claim = await claimed_run(deps)
    made, ended = snapshot_made(run, claim, clock()), run_ended(run, claim, clock())

    await on_snapshot_completed(made, deps)
    await on_run_completed(ended, deps)
    once, told = await all_rows(deps), await published(deps)
    clock.advance(minutes=1)
    await on_snapshot_completed(made, deps)
    await on_run_completed(ended, deps)

    view = await row(deps, run)
    assert (view.status, view.restic_snapshot_id) == (RunStatus.SUCCESS, "aa11")
    assert (view.files_new, view.files_changed, view.files_unmodified) == (3, 2, 1)
    assert (view.data_added, view.total_size, view.duration) == (4096, 8192, 1)
    after = await run_of(deps, run.id)
    assert (after.status, after.failure) == (RunStatus.SUCCESS, None)
    assert await all_rows(deps) == once
    assert await published(deps) == told


async def test_every_event_delivered_twice_and_at_once_is_recorded_once(
    deps: Deps, clock: Clock
) -> None:
    _, run, claim = await claimed_run(deps, "A", "B")
    made = snapshot_made(run, claim, clock())
    failed = snapshot_failed(run, claim, clock(), place=1)
    ended = run_ended(run, claim, clock(), status=RunStatus.PARTIAL)

    await asyncio.gather(
        *(on_snapshot_completed(made, deps) for _ in range(2)),
        *(on_snapshot_failed(failed, deps) for _ in range(2)),
    )
    await asyncio.gather(*(on_run_completed(ended, deps) for _ in range(4)))

    assert (await run_of(deps, run.id)).status is RunStatus.PARTIAL
    assert len(await retries(deps)) == 1


async def test_what_the_old_holder_says_is_not_recorded(deps: Deps, clock: Clock) -> None:
    _, run, old = await claimed_run(deps)
    clock.advance(minutes=1)
    new = (await claimed(deps, run.id, executor_id="two")).claim

    await on_snapshot_completed(snapshot_made(run, old, clock(), restic_id="00ff"), deps)
    await on_snapshot_failed(snapshot_failed(run, old, clock()), deps)
    await on_run_completed(run_ended(run, old, clock(), status=RunStatus.FAILED), deps)

    assert (await row(deps, run)).status is RunStatus.IN_PROGRESS
    assert (await run_of(deps, run.id)).status is RunStatus.IN_PROGRESS
    await on_snapshot_completed(snapshot_made(run, new, clock(), restic_id="aa11"), deps)
    await on_run_completed(run_ended(run, new, clock()), deps)
    await on_run_completed(run_ended(run, old, clock(), status=RunStatus.FAILED), deps)
    assert (await row(deps, run)).restic_snapshot_id == "aa11"
    assert (await run_of(deps, run.id)).status is RunStatus.SUCCESS
    assert await retries(deps) == []


async def test_an_end_that_overtakes_its_snapshots_waits_for_them(deps: Deps, clock: Clock) -> None:
    _, run, claim = await claimed_run(deps, "A", "B")
    ended = run_ended(run, claim, clock())

    with pytest.raises(RetryLater):
        await on_run_completed(ended, deps)
    await on_snapshot_completed(snapshot_made(run, claim, clock()), deps)
    with pytest.raises(RetryLater):
        await on_run_completed(ended, deps)
    await on_snapshot_completed(snapshot_made(run, claim, clock(), place=1), deps)
    await on_run_completed(ended, deps)

    assert [(await row(deps, run, place)).status for place in (0, 1)] == [RunStatus.SUCCESS] * 2
    assert await retries(deps) == []


async def test_an_end_heard_after_hours_away_still_waits_for_its_snapshots(
    deps: Deps, clock: Clock
) -> None:
    """The catalog was away; both words wait in the stream, and the end is delivered first."""
    _, run, claim = await claimed_run(deps)
    made, ended = snapshot_made(run, claim, clock()), run_ended(run, claim, clock())
    clock.advance(hours=3)

    with pytest.raises(RetryLater):
        await on_run_completed(ended, deps)
    await on_snapshot_completed(made, deps)
    await on_run_completed(ended, deps)

    assert (await row(deps, run)).restic_snapshot_id == "aa11"
    assert await retries(deps) == []


async def test_a_word_that_never_comes_does_not_keep_the_run_for_ever(
    deps: Deps, clock: Clock
) -> None:
    _, run, claim = await claimed_run(deps, "A", "B")
    ended = run_ended(run, claim, clock())
    await on_snapshot_completed(snapshot_made(run, claim, clock()), deps)
    with pytest.raises(RetryLater):
        await on_run_completed(ended, deps)

    clock.advance(seconds=ORDER_PATIENCE.total_seconds())
    await on_run_completed(ended, deps)

    lost = await row(deps, run, 1)
    assert (lost.status, lost.restic_snapshot_id) == (RunStatus.FAILED, None)
    assert lost.error_message
    assert (await row(deps, run, 0)).status is RunStatus.SUCCESS
    assert (await run_of(deps, run.id)).status is RunStatus.SUCCESS


@pytest.mark.parametrize("failure", [None, STAYS])
async def test_a_snapshot_that_is_told_of_too_late_is_still_on_record(
    deps: Deps, clock: Clock, failure: Failure | None
) -> None:
    """It is in the repository: unrecorded, nobody could restore or forget it."""
    _, run, claim = await claimed_run(deps)
    made = snapshot_made(run, claim, clock())
    status = RunStatus.FAILED if failure else RunStatus.SUCCESS
    ended = run_ended(run, claim, clock(), status=status, failure=failure)
    with pytest.raises(RetryLater):
        await on_run_completed(ended, deps)
    clock.advance(seconds=ORDER_PATIENCE.total_seconds())
    await on_run_completed(ended, deps)
    assert (await row(deps, run)).status is RunStatus.FAILED

    await on_snapshot_completed(made, deps)
    await on_snapshot_failed(snapshot_failed(run, claim, clock()), deps)

    late = await row(deps, run)
    assert (late.status, late.restic_snapshot_id, late.error_message) == (
        RunStatus.SUCCESS,
        "aa11",
        "",
    )


# ---- retries


async def test_a_backup_that_outlives_its_configuration_is_not_tried_again(
    deps: Deps, clock: Clock
) -> None:
    protected, run, claim = await claimed_run(deps)
    await answer_delete_configuration(
        DeleteConfiguration(configuration_id=protected.configuration_id), deps
    )

    await on_snapshot_failed(snapshot_failed(run, claim, clock()), deps)
    await on_run_completed(run_ended(run, claim, clock(), status=RunStatus.FAILED), deps)

    assert (await run_of(deps, run.id)).status is RunStatus.FAILED
    assert await retries(deps) == []


async def test_only_the_destination_that_failed_for_a_passing_cause_is_tried_again(
    deps: Deps, clock: Clock
) -> None:
    protected, run, claim = await claimed_run(deps, "A", "B", "C")
    await on_snapshot_completed(snapshot_made(run, claim, clock()), deps)
    await on_snapshot_failed(snapshot_failed(run, claim, clock(), place=1), deps)
    await on_snapshot_failed(snapshot_failed(run, claim, clock(), place=2, failure=STAYS), deps)

    await on_run_completed(run_ended(run, claim, clock(), status=RunStatus.PARTIAL), deps)

    (retry,) = await retries(deps)
    assert retry.destination_ids == protected.destination_ids[1:2]
    assert (retry.attempt, retry.retry_of, retry.status) == (2, run.id, RunStatus.QUEUED)
    delay = deps.settings.retry_delays[0]
    assert retry.not_before == clock() + timedelta(seconds=delay)
    tags = await deps.pool.fetchval("select work -> 'tags' from run where id = $1", retry.id)
    assert f"run:{retry.id}" in tags
    assert f"run:{run.id}" not in tags
    assert set(retry.snapshot_ids).isdisjoint(run.snapshot_ids)


async def test_retries_start_in_their_time_and_come_to_an_end(deps: Deps, clock: Clock) -> None:
    _, run, claim = await claimed_run(deps)
    keeper, tries = Keeper(deps), [run]
    for delay in (*deps.settings.retry_delays, None):
        run = tries[-1]
        await on_snapshot_failed(snapshot_failed(run, claim, clock()), deps)
        await on_run_completed(run_ended(run, claim, clock(), status=RunStatus.FAILED), deps)
        waiting = [each for each in await retries(deps) if each.status is RunStatus.QUEUED]
        if delay is None:
            assert waiting == []
            break
        (retry,) = waiting
        clock.advance(seconds=delay - 1)
        await keeper.step()
        assert (await run_of(deps, retry.id)).status is RunStatus.QUEUED
        clock.advance(seconds=1)
        await keeper.step()
        assert (await run_of(deps, retry.id)).status is RunStatus.IN_PROGRESS
        claim = (await claimed(deps, retry.id)).claim
        tries.append(await run_of(deps, retry.id))

    assert [each.attempt for each in tries] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("failure", "status"),
    [(STAYS, RunStatus.FAILED), (PASSES, RunStatus.CANCELLED)],
    ids=["it stays", "cancelled"],
)
async def test_what_would_not_help_is_not_tried_again(
    deps: Deps, clock: Clock, failure: Failure, status: RunStatus
) -> None:
    _, run, claim = await claimed_run(deps)
    await on_snapshot_failed(
        snapshot_failed(run, claim, clock(), failure=failure, status=status), deps
    )

    await on_run_completed(run_ended(run, claim, clock(), status=status, failure=failure), deps)

    assert await retries(deps) == []
    assert (await run_of(deps, run.id)).failure == failure


async def test_unreadable_files_are_no_reason_for_another_try(deps: Deps, clock: Clock) -> None:
    _, run, claim = await claimed_run(deps)
    await on_snapshot_completed(snapshot_made(run, claim, clock(), status=RunStatus.PARTIAL), deps)

    await on_run_completed(run_ended(run, claim, clock(), status=RunStatus.PARTIAL), deps)

    assert (await row(deps, run)).status is RunStatus.PARTIAL
    assert await retries(deps) == []


# ---- destinations


async def test_a_destination_is_there_when_its_init_has_succeeded(deps: Deps, clock: Clock) -> None:
    accepted = await add_local(deps, "A")
    run = await run_of(deps, accepted.run_id)
    claim = (await claimed(deps, run.id)).claim
    ended = run_ended(run, claim, clock(), result=InitResult(repository_id="abc", adopted=True))

    for _ in range(2):
        await on_run_completed(ended, deps)

    (destination,) = await answer_list_destinations(ListDestinations(), deps)
    assert (destination.id, destination.repository_id) == (accepted.destination_id, "abc")
    told = [type_ for type_, _ in await published(deps) if type_.endswith(".changed")]
    assert told == ["destination.changed", "policy.changed"]
    assert (await run_of(deps, run.id)).result == InitResult(repository_id="abc", adopted=True)


async def failed_init(deps: Deps, clock: Clock, *, repo_password: str = "") -> UUID:
    """The run of a destination at /mnt/a whose init an executor has tried in vain."""
    accepted = await add_local(deps, "A", "/mnt/a", repo_password=repo_password)
    run = await run_of(deps, accepted.run_id)
    claim = (await claimed(deps, run.id)).claim
    for _ in range(2):
        await on_run_completed(
            run_ended(run, claim, clock(), status=RunStatus.FAILED, failure=STAYS), deps
        )
    return run.id


async def passwords(deps: Deps) -> list[str]:
    async with deps.pool.acquire() as connection:
        ids = [row["id"] for row in await connection.fetch("select id from destination")]
        kept = await sealed_secrets(connection, ids)
    return [deps.secrets.open_destination(each).repo_password for each in kept]


async def test_of_a_destination_whose_init_has_failed_nobody_sees_anything(
    deps: Deps, clock: Clock
) -> None:
    run_id = await failed_init(deps, clock)

    assert await answer_list_destinations(ListDestinations(), deps) == ()
    assert (await run_of(deps, run_id)).failure == STAYS


async def test_a_place_whose_init_was_tried_in_vain_keeps_its_password_for_the_next_try(
    deps: Deps, clock: Clock
) -> None:
    await failed_init(deps, clock)
    (first,) = await passwords(deps)
    clock.advance(minutes=1)
    await failed_init(deps, clock)

    # One row is enough, however often it fails.
    assert await passwords(deps) == [first]
    await add_local(deps, "B", "/mnt/a")
    assert await passwords(deps) == [first, first]


async def test_of_a_failed_destination_a_persons_own_password_does_not_stay(
    deps: Deps, clock: Clock
) -> None:
    await failed_init(deps, clock, repo_password="correct horse battery")

    assert await deps.pool.fetchval("select count(*) from destination") == 0
