"""A clock that is wrong by weeks, once, silences no schedule, and starts nothing twice."""

from datetime import datetime, timedelta

import pytest

from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import on_backup_due, on_prune_due
from holdfast.events.due import PruneDue
from holdfast.kernel.ids import new_id
from support.catalog import Clock
from support.runs import Protected, due, protected_app

pytestmark = pytest.mark.postgres

DAY = timedelta(days=1)


async def rows(deps: Deps) -> dict[datetime, str]:
    found = await deps.pool.fetch("select scheduled_for, outcome from expected_run order by 1")
    return {row["scheduled_for"]: row["outcome"] for row in found}


async def backups(deps: Deps) -> int:
    """How many were ever started; all of them have ended."""
    await deps.pool.execute("update run set status = 'success' where status = 'in_progress'")
    count: int = await deps.pool.fetchval("select count(*) from run where operation = 'backup'")
    return count


async def daily(deps: Deps, clock: Clock, protected: Protected, first: datetime, days: int) -> None:
    for day in range(days):
        clock.time = first + day * DAY
        await on_backup_due(due(protected, clock.time), deps)
        await backups(deps)


async def test_what_a_scheduler_says_of_the_future_is_passed_over_until_it_comes(
    deps: Deps, clock: Clock
) -> None:
    protected = await protected_app(deps)
    first = clock.time
    times = [first + day * DAY for day in range(41)]

    await on_backup_due(due(protected, times[-1], *times[:-1]), deps)

    assert await rows(deps) == {first: "fired"}
    assert await backups(deps) == 1
    await daily(deps, clock, protected, times[1], 40)
    assert await rows(deps) == dict.fromkeys(times, "fired")
    assert await backups(deps) == 41


async def test_what_was_written_while_the_house_was_weeks_ahead_counts_for_nothing(
    deps: Deps, clock: Clock
) -> None:
    protected = await protected_app(deps)
    first = clock.time
    times = [first + day * DAY for day in range(43)]
    await on_backup_due(due(protected, first), deps)
    await backups(deps)
    clock.time = times[40] + DAY / 2
    await on_backup_due(due(protected, times[40], *times[1:40]), deps)
    assert await backups(deps) == 2

    await daily(deps, clock, protected, times[1], 42)
    once = await rows(deps)
    await daily(deps, clock, protected, times[1], 42)  # and each is told of again

    assert list(once) == times
    fired = [time for time, outcome in once.items() if outcome == "fired"]
    # For the last day before the moment to which it jumped it cannot be told from a small jump.
    assert set(times) - set(fired) <= {times[39], times[40]}
    assert await backups(deps) == len(fired) + (times[40] not in fired)
    assert await rows(deps) == once


async def test_weeks_back_and_forth_nothing_runs_twice(deps: Deps, clock: Clock) -> None:
    protected = await protected_app(deps)
    first = clock.time
    await daily(deps, clock, protected, first, 45)
    before = await rows(deps)

    await daily(deps, clock, protected, first + 5 * DAY, 40)  # 40 days back, and through them

    assert await rows(deps) == before
    assert await backups(deps) == 45


async def test_a_prune_that_is_due_in_weeks_is_not_put_on_record(deps: Deps, clock: Clock) -> None:
    protected = await protected_app(deps)

    def prune(at: datetime) -> PruneDue:
        return PruneDue(
            event_id=new_id(),
            occurred_at=at,
            destination_id=protected.destination_ids[0],
            scheduled_for=at,
        )

    await on_prune_due(prune(clock() + 40 * DAY), deps)
    await on_prune_due(prune(clock()), deps)

    assert await deps.pool.fetchval("select max(last_prune_due_at) from destination") == clock()
