"""Checks in the catalog: due, asked for, recorded, told once, taken back; sizes and prices."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from holdfast.catalog.answers.destinations import answer_get_destination, answer_heal_destination
from holdfast.catalog.answers.verification import (
    answer_check_destination,
    answer_get_destination_stats,
    answer_get_verification,
    answer_list_prices,
    answer_set_price,
    answer_set_verification,
)
from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import on_check_due, on_run_completed
from holdfast.events.checks import Health, ReadData
from holdfast.events.due import CheckDue
from holdfast.events.queries import (
    CheckDestination,
    GetDestination,
    GetDestinationStats,
    GetVerification,
    HealDestination,
    ListPrices,
    SetPrice,
    SetVerification,
)
from holdfast.events.run import (
    CheckResult,
    Failure,
    HealResult,
    Operation,
    PruneResult,
    RepositoryStats,
    RunStatus,
)
from holdfast.events.views import RunView, VerificationView
from holdfast.kernel.errors import InvalidRequestError, NotFoundError
from holdfast.kernel.ids import new_id
from support.catalog import Clock, published
from support.destinations import ready_destination
from support.runs import claimed, run_ended, run_of

pytestmark = pytest.mark.postgres

PACK = "d7" + "58" * 31  # first byte 215
SNAPSHOT = "9e" * 32
DAMAGED = Failure(code="repository_damaged", message="Damaged.")
GIB = 1 << 30


def due_now(destination_id: UUID, clock: Clock) -> CheckDue:
    return CheckDue(
        event_id=new_id(),
        occurred_at=clock(),
        destination_id=destination_id,
        scheduled_for=clock(),
    )


async def work_of(deps: Deps, run: RunView) -> Any:
    return await deps.pool.fetchval("select work from run where id = $1", run.id)


async def newest_check(deps: Deps) -> RunView | None:
    row = await deps.pool.fetchrow(
        "select id from run where operation = 'check' order by queued_at desc, id desc limit 1"
    )
    return None if row is None else await run_of(deps, row["id"])


async def checked(deps: Deps, clock: Clock, run: RunView, **result: Any) -> None:
    """The run's executor says what it found."""
    work = await work_of(deps, run)
    claim = (await claimed(deps, run.id)).claim
    found = CheckResult(**{"parts": work["parts"], "read": tuple(work["read"]), **result})
    status = RunStatus.SUCCESS if found.sound else RunStatus.FAILED
    failure = None if found.sound else DAMAGED
    await on_run_completed(
        run_ended(run, claim, clock(), status=status, failure=failure, result=found), deps
    )


async def check_by_hand(
    deps: Deps, clock: Clock, destination_id: UUID, read_data: ReadData, **result: Any
) -> None:
    query = CheckDestination(destination_id=destination_id, read_data=read_data)
    accepted = await answer_check_destination(query, deps)
    await checked(deps, clock, await run_of(deps, accepted.run_id), **result)


async def seen(deps: Deps, destination_id: UUID) -> VerificationView:
    return await answer_get_verification(GetVerification(destination_id=destination_id), deps)


async def damage_told(deps: Deps) -> list[dict[str, Any]]:
    return [event for type_, event in await published(deps) if type_ == "repository.damaged"]


async def mended_told(deps: Deps) -> list[dict[str, Any]]:
    return [event for type_, event in await published(deps) if type_ == "repository.mended"]


async def test_the_daily_check_reads_the_next_part_and_coverage_grows(
    deps: Deps, clock: Clock
) -> None:
    destination_id = await ready_destination(deps, "A")
    read: list[list[int]] = []

    for _ in range(24):
        await on_check_due(due_now(destination_id, clock), deps)
        run = await newest_check(deps)
        assert run is not None
        assert run.operation is Operation.CHECK
        assert run.status is RunStatus.IN_PROGRESS
        read.append((await work_of(deps, run))["read"])
        await checked(deps, clock, run)
        clock.advance(days=1)

    view = await seen(deps, destination_id)
    assert read == [[part] for part in range(1, 25)]
    assert (view.parts_read, len(view.parts)) == (24, 24)
    assert view.oldest_read_at == clock() - timedelta(days=24)
    assert (view.promise_kept, view.warnings, view.health) == (True, (), Health.OK)


async def test_a_due_time_told_twice_is_one_check_and_one_that_goes_on_is_enough(
    deps: Deps, clock: Clock
) -> None:
    destination_id = await ready_destination(deps, "A")
    event = due_now(destination_id, clock)

    await on_check_due(event, deps)
    await on_check_due(event, deps)
    clock.advance(days=1)
    await on_check_due(due_now(destination_id, clock), deps)

    assert await deps.pool.fetchval("select count(*) from run where operation = 'check'") == 1
    assert await deps.pool.fetchval("select last_check_due_at from destination") == clock()


async def test_missed_days_are_made_up_for_and_a_broken_promise_is_told(
    deps: Deps, clock: Clock
) -> None:
    destination_id = await ready_destination(deps, "A")
    await check_by_hand(deps, clock, destination_id, ReadData.ALL)

    clock.advance(days=31)
    late = await seen(deps, destination_id)
    await on_check_due(due_now(destination_id, clock), deps)
    run = await newest_check(deps)
    assert run is not None
    read = (await work_of(deps, run))["read"]
    await checked(deps, clock, run)

    assert not late.promise_kept
    assert "24 of 24 parts were not read within 30 days" in late.warnings[0]
    assert sorted(read) == list(range(1, 25))
    assert (await seen(deps, destination_id)).promise_kept


async def test_a_failed_check_that_found_nothing_counts_as_nothing(
    deps: Deps, clock: Clock
) -> None:
    destination_id = await ready_destination(deps, "A")
    await on_check_due(due_now(destination_id, clock), deps)
    run = await newest_check(deps)
    assert run is not None
    claim = (await claimed(deps, run.id)).claim
    away = Failure(code="destination_unreachable", message="It is away.", retryable=True)

    await on_run_completed(
        run_ended(run, claim, clock(), status=RunStatus.FAILED, failure=away), deps
    )

    view = await seen(deps, destination_id)
    assert (view.parts_read, view.health, view.checked_at) == (0, Health.UNKNOWN, None)
    assert await damage_told(deps) == []


async def test_damage_is_told_once_and_taken_back_by_a_sound_look_at_its_part(
    deps: Deps, clock: Clock
) -> None:
    destination_id = await ready_destination(deps, "A")
    found = {"sound": False, "damaged_packs": (PACK,), "restic_snapshot_ids": (SNAPSHOT,)}
    part = 215 % 24 + 1

    await check_by_hand(deps, clock, destination_id, ReadData.ALL, **found)
    found_at = clock()
    clock.advance(hours=1)
    await check_by_hand(deps, clock, destination_id, ReadData.ALL, **found)
    await check_by_hand(deps, clock, destination_id, ReadData.NONE)
    still = await seen(deps, destination_id)
    told = await damage_told(deps)
    query = CheckDestination(destination_id=destination_id)
    again = await answer_check_destination(query, deps)
    work = await work_of(deps, await run_of(deps, again.run_id))
    await checked(deps, clock, await run_of(deps, again.run_id))
    mended = await seen(deps, destination_id)

    assert [event["packs"] for event in told] == [[PACK]]
    assert told[0]["restic_snapshot_ids"] == [SNAPSHOT]
    assert told[0]["destination_id"] == str(destination_id)
    assert (still.health, still.damaged_since) == (Health.DAMAGED, found_at)
    assert (still.damaged_packs, still.damaged_snapshot_ids) == ((PACK,), (SNAPSHOT,))
    assert work["read"] == [part]
    assert (mended.health, mended.damaged_since) == (Health.OK, None)
    (event,) = await mended_told(deps)
    assert (event["packs"], event["still_damaged"]) == ([PACK], 0)
    # The same damage again is new damage.
    await check_by_hand(deps, clock, destination_id, ReadData.ALL, **found)
    assert len(await damage_told(deps)) == 2


async def test_a_repair_that_succeeds_takes_all_damage_back(deps: Deps, clock: Clock) -> None:
    destination_id = await ready_destination(deps, "A")
    await ready_destination(deps, "B")
    found = {"sound": False, "damaged_packs": (PACK,), "restic_snapshot_ids": (SNAPSHOT,)}
    await check_by_hand(deps, clock, destination_id, ReadData.ALL, **found)
    clock.advance(hours=1)

    for status, health in ((RunStatus.PARTIAL, Health.DAMAGED), (RunStatus.SUCCESS, Health.OK)):
        accepted = await answer_heal_destination(
            HealDestination(destination_id=destination_id), deps
        )
        run = await run_of(deps, accepted.run_id)
        claim = (await claimed(deps, run.id)).claim
        await on_run_completed(
            run_ended(run, claim, clock(), status=status, result=HealResult()), deps
        )
        assert (await seen(deps, destination_id)).health is health

    (event,) = await mended_told(deps)
    assert (event["packs"], event["still_damaged"]) == ([PACK], 0)


async def test_another_part_takes_back_no_damage_but_structure_is_always_looked_at(
    deps: Deps, clock: Clock
) -> None:
    destination_id = await ready_destination(deps, "A")
    await check_by_hand(
        deps, clock, destination_id, ReadData.ALL, sound=False, damaged_packs=(PACK,)
    )
    await check_by_hand(
        deps, clock, destination_id, ReadData.NONE, sound=False, missing_packs=("aa" * 32,)
    )
    await check_by_hand(deps, clock, destination_id, ReadData.NONE, sound=False)
    three = await deps.pool.fetchval("select count(*) from damage where cleared_at is null")

    await check_by_hand(deps, clock, destination_id, ReadData.PART, parts=24, read=(1,))

    view = await seen(deps, destination_id)
    assert three == 3
    assert view.damaged_packs == (PACK,)
    place = await answer_get_destination(GetDestination(destination_id=destination_id), deps)
    assert (place.health, place.damaged_since) == (Health.DAMAGED, view.damaged_since)


async def test_the_promise_can_be_changed_and_what_cannot_be_kept_is_told(
    deps: Deps, clock: Clock
) -> None:
    destination_id = await ready_destination(deps, "A")
    stats = RepositoryStats(raw_size=200 * GIB)
    await check_by_hand(deps, clock, destination_id, ReadData.ALL, stats=stats)

    view = await answer_set_verification(
        SetVerification(
            destination_id=destination_id, verify_within_days=10, verify_budget_mib_per_day=1024
        ),
        deps,
    )

    assert (view.verify_within_days, view.verify_budget_mib_per_day) == (10, 1024)
    assert view.parts_read == len(view.parts) == 200
    assert "takes about 200 days at 1024 MiB a day" in view.warnings[0]
    assert (await published(deps))[-1][0] == "destination.changed"
    for wrong in ({"verify_within_days": 0}, {"verify_within_days": 5, "check_schedule": "no"}):
        with pytest.raises(InvalidRequestError):
            await answer_set_verification(
                SetVerification(destination_id=destination_id, **wrong), deps
            )
    with pytest.raises(NotFoundError):
        await seen(deps, new_id())


async def test_sizes_grow_by_day_and_cost_by_the_price_table(deps: Deps, clock: Clock) -> None:
    destination_id = await ready_destination(deps, "A")
    query = GetDestinationStats(destination_id=destination_id)
    before = await answer_get_destination_stats(query, deps)

    for day, size in enumerate((100, 110, 228)):
        stats = RepositoryStats(
            raw_size=size * 10**9, restore_size=1400 * 10**9, snapshots_count=7 + day
        )
        await check_by_hand(deps, clock, destination_id, ReadData.NONE, stats=stats)
        clock.advance(days=1)
    await answer_set_price(SetPrice(provider="local", per_tb_month=7), deps)
    view = await answer_get_destination_stats(query, deps)

    assert (before.measured_at, before.raw_size, before.days) == (None, 0, ())
    assert [day.raw_size for day in view.days] == [228 * 10**9, 110 * 10**9, 100 * 10**9]
    assert (view.raw_size, view.snapshots_count) == (228 * 10**9, 9)
    # The specification's own example.
    assert (view.cost.monthly, view.cost.monthly_without_deduplication) == (1.6, 9.8)
    assert view.savings_percent == 83.7
    prices = {each.provider: each for each in await answer_list_prices(ListPrices(), deps)}
    assert (prices["local"].per_tb_month, prices["local"].is_default) == (7, False)
    assert (prices["b2"].per_tb_month, prices["b2"].is_default) == (7, True)
    place = await answer_get_destination(GetDestination(destination_id=destination_id), deps)
    assert (place.total_size, place.total_restore_size) == (228 * 10**9, 1400 * 10**9)


async def test_a_prune_measures_too(deps: Deps, clock: Clock) -> None:
    destination_id = await ready_destination(deps, "A")
    accepted = await answer_check_destination(CheckDestination(destination_id=destination_id), deps)
    await deps.pool.execute("update run set operation = 'prune'")
    run = await run_of(deps, accepted.run_id)
    claim = (await claimed(deps, run.id)).claim
    result = PruneResult(repository_size=5, stats=RepositoryStats(raw_size=5))

    await on_run_completed(run_ended(run, claim, clock(), result=result), deps)

    view = await answer_get_destination_stats(
        GetDestinationStats(destination_id=destination_id), deps
    )
    assert view.raw_size == 5
