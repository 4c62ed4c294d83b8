"""Backups by hand and by the clock: each becomes at most one run, each due time a row."""

import asyncio
from datetime import datetime, timedelta

import pytest

from holdfast.catalog.answers.configurations import (
    answer_delete_configuration,
    answer_update_configuration,
)
from holdfast.catalog.answers.policies import answer_list_policies, answer_update_policy
from holdfast.catalog.answers.runs import answer_start_backup
from holdfast.catalog.answers.schedules import answer_list_schedules
from holdfast.catalog.answers.snapshots import answer_get_snapshot
from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import (
    on_backup_due,
    on_prune_due,
    on_run_completed,
    on_snapshot_failed,
)
from holdfast.events.due import PruneDue
from holdfast.events.queries import (
    DeleteConfiguration,
    GetSnapshot,
    ListPolicies,
    ListSchedules,
    ScheduleEntry,
    StartBackup,
    UpdateConfiguration,
    UpdatePolicy,
)
from holdfast.events.run import RunStatus, Trigger
from holdfast.kernel.errors import ConflictError, NotFoundError
from holdfast.kernel.ids import new_id
from support.catalog import Clock, published
from support.runs import (
    added_app,
    claimed,
    due,
    protected_app,
    run_ended,
    run_of,
    snapshot_failed,
    snapshot_id_of,
    started,
)

pytestmark = pytest.mark.postgres


async def ledger(deps: Deps) -> list[tuple[datetime, str, str]]:
    rows = await deps.pool.fetch("select * from expected_run order by scheduled_for")
    return [(row["scheduled_for"], row["outcome"], row["reason"]) for row in rows]


async def entries(deps: Deps) -> tuple[ScheduleEntry, ...]:
    return (await answer_list_schedules(ListSchedules(), deps)).entries


async def backups(deps: Deps) -> int:
    count: int = await deps.pool.fetchval("select count(*) from run where operation = 'backup'")
    return count


async def test_a_backup_by_hand_has_a_row_for_each_destination_in_their_order(deps: Deps) -> None:
    protected = await protected_app(deps, destinations=("D", "A", "C", "B"))
    before = len(await published(deps))

    answer = await answer_start_backup(
        StartBackup(configuration_id=protected.configuration_id), deps
    )

    run = await run_of(deps, answer.run_id)
    assert run.destination_ids == protected.destination_ids
    assert (run.trigger, run.status, run.attempt) == (Trigger.MANUAL, RunStatus.IN_PROGRESS, 1)
    assert run.snapshot_ids == tuple(snapshot_id_of(run, place) for place in range(4))
    assert answer.snapshot_id == run.snapshot_ids[0]
    assert answer.status is RunStatus.IN_PROGRESS  # nothing was in its way
    row = await answer_get_snapshot(GetSnapshot(snapshot_id=run.snapshot_ids[0]), deps)
    assert (row.status, row.destination_id, row.hostname) == (
        RunStatus.IN_PROGRESS,
        protected.destination_ids[0],
        "nas",
    )
    ((kind, work),) = (await published(deps))[before:]
    assert kind == "backup.requested"
    assert work["paths"] == ["/srv/immich"]
    assert work["tags"] == [
        f"app:{protected.app.id}",
        f"configuration:{protected.configuration_id}",
        f"run:{run.id}",
        f"instance:{deps.instance_id}",
    ]
    assert "password" not in str(work)


async def test_include_and_exclude_paths_are_what_is_backed_up(deps: Deps) -> None:
    protected = await protected_app(deps)
    await answer_update_configuration(
        UpdateConfiguration(
            configuration_id=protected.configuration_id,
            include_paths=("/srv/immich/library",),
            exclude_paths=("*.tmp",),
        ),
        deps,
    )

    run = await started(deps, protected)

    work = await deps.pool.fetchval("select work from run where id = $1", run.id)
    assert (work["paths"], work["exclude_paths"]) == (["/srv/immich/library"], ["*.tmp"])


async def test_asked_twice_or_twenty_times_at_once_it_is_one_run(deps: Deps) -> None:
    protected = await protected_app(deps)
    query = StartBackup(configuration_id=protected.configuration_id)

    answers = await asyncio.gather(*(answer_start_backup(query, deps) for _ in range(20)))

    assert len({answer.run_id for answer in answers}) == 1
    assert await backups(deps) == 1


async def test_without_a_destination_or_a_configuration_it_says_so(deps: Deps) -> None:
    app = await added_app(deps, "immich")
    configuration_id = await deps.pool.fetchval(
        "select id from configuration where app_id = $1", app.id
    )

    with pytest.raises(ConflictError) as caught:
        await answer_start_backup(StartBackup(configuration_id=configuration_id), deps)
    assert caught.value.code == "no_destination"
    assert caught.value.hint
    with pytest.raises(NotFoundError):
        await answer_start_backup(StartBackup(configuration_id=new_id()), deps)


async def test_one_that_is_switched_off_is_still_backed_up_by_hand(deps: Deps) -> None:
    protected = await protected_app(deps)
    await answer_update_configuration(
        UpdateConfiguration(configuration_id=protected.configuration_id, enabled=False), deps
    )

    assert (await started(deps, protected)).status is RunStatus.IN_PROGRESS


async def test_a_due_time_makes_one_run_and_one_row_however_often_it_is_told(
    deps: Deps, clock: Clock
) -> None:
    protected = await protected_app(deps)
    event = due(protected, clock())

    await on_backup_due(event, deps)
    await on_backup_due(event, deps)
    await asyncio.gather(*(on_backup_due(event, deps) for _ in range(5)))

    assert await ledger(deps) == [(clock(), "fired", "")]
    (run,) = await deps.pool.fetch("select * from run where operation = 'backup'")
    assert (run["trigger"], run["scheduled_for"]) == ("schedule", clock())
    assert await deps.pool.fetchval("select run_id from expected_run") == run["id"]


async def test_the_times_that_passed_while_nobody_was_there_are_on_record(
    deps: Deps, clock: Clock
) -> None:
    protected = await protected_app(deps)
    now = clock()
    missed = [now - timedelta(days=days) for days in (2, 1)]

    await on_backup_due(due(protected, now, *missed), deps)

    assert [outcome for _, outcome, _ in await ledger(deps)] == ["coalesced", "coalesced", "fired"]
    assert await backups(deps) == 1


async def test_a_time_that_comes_while_a_backup_is_going_is_coalesced(
    deps: Deps, clock: Clock
) -> None:
    protected = await protected_app(deps)
    run = await started(deps, protected)

    await on_backup_due(due(protected, clock.advance(hours=1)), deps)

    ((_, outcome, reason),) = await ledger(deps)
    assert outcome == "coalesced"
    assert str(run.id) in reason
    assert await backups(deps) == 1


@pytest.mark.parametrize("cause", ["configuration", "policy", "destination", "deleted"])
async def test_a_time_that_is_skipped_says_why(deps: Deps, clock: Clock, cause: str) -> None:
    protected = await protected_app(deps)
    (policy,) = await answer_list_policies(ListPolicies(), deps)
    configuration_id = protected.configuration_id
    match cause:
        case "configuration":
            await answer_update_configuration(
                UpdateConfiguration(configuration_id=configuration_id, enabled=False), deps
            )
        case "policy":
            await answer_update_policy(UpdatePolicy(policy_id=policy.id, enabled=False), deps)
        case "destination":
            await answer_update_policy(UpdatePolicy(policy_id=policy.id, destination_ids=()), deps)
        case _:
            await answer_delete_configuration(
                DeleteConfiguration(configuration_id=configuration_id), deps
            )

    for _ in range(2):
        await on_backup_due(due(protected, clock(), clock() - timedelta(days=1)), deps)

    rows = await ledger(deps)
    assert [outcome for _, outcome, _ in rows] == ["skipped", "skipped"]
    assert rows[-1][2]
    assert await backups(deps) == 0


async def test_a_due_time_of_a_configuration_that_never_was_is_passed_over(
    deps: Deps, clock: Clock
) -> None:
    protected = await protected_app(deps)
    await deps.pool.execute("delete from configuration")

    await on_backup_due(due(protected, clock()), deps)

    assert await ledger(deps) == []


async def test_a_new_backup_takes_the_place_of_a_retry_that_waits(deps: Deps, clock: Clock) -> None:
    protected = await protected_app(deps)
    run = await started(deps, protected)
    claim = (await claimed(deps, run.id)).claim
    await on_snapshot_failed(snapshot_failed(run, claim, clock()), deps)
    await on_run_completed(run_ended(run, claim, clock(), status=RunStatus.FAILED), deps)
    retry_id = await deps.pool.fetchval("select id from run where trigger = 'retry'")

    newer = await started(deps, protected)

    assert newer.id not in (run.id, retry_id)
    assert (await run_of(deps, retry_id)).status is RunStatus.CANCELLED


async def test_no_retry_of_a_deleted_configuration_is_left(deps: Deps, clock: Clock) -> None:
    protected = await protected_app(deps)
    run = await started(deps, protected)
    claim = (await claimed(deps, run.id)).claim
    await on_snapshot_failed(snapshot_failed(run, claim, clock()), deps)
    await on_run_completed(run_ended(run, claim, clock(), status=RunStatus.FAILED), deps)
    retry_id = await deps.pool.fetchval("select id from run where trigger = 'retry'")

    await answer_delete_configuration(
        DeleteConfiguration(configuration_id=protected.configuration_id), deps
    )

    retry = await run_of(deps, retry_id)
    assert retry.status is RunStatus.CANCELLED
    assert retry.failure is not None
    assert retry.failure.code == "configuration_deleted"


async def test_due_times_count_from_the_last_one_on_record(deps: Deps, clock: Clock) -> None:
    made_at = clock()
    protected = await protected_app(deps)
    (destination_id,) = protected.destination_ids

    before = {entry.id: entry.after for entry in await entries(deps) if entry.kind != "check"}
    later = clock.advance(days=1)
    await on_backup_due(due(protected, later), deps)
    prune = PruneDue(
        event_id=new_id(), occurred_at=later, destination_id=destination_id, scheduled_for=later
    )
    await on_prune_due(prune, deps)
    await on_prune_due(prune, deps)
    after = {entry.id: entry.after for entry in await entries(deps) if entry.kind != "check"}

    assert before == {protected.configuration_id: made_at, destination_id: made_at}
    assert after == {protected.configuration_id: later, destination_id: later}


async def test_what_is_off_is_due_all_the_same_for_its_times_go_on_record(deps: Deps) -> None:
    protected = await protected_app(deps)
    await answer_update_configuration(
        UpdateConfiguration(configuration_id=protected.configuration_id, enabled=False), deps
    )

    kinds = [entry.kind for entry in await entries(deps)]

    assert sorted(kinds) == ["backup", "check", "prune"]
