"""Runs that are given back: by one who leaves, by one who waits for a lock, by the dead."""

from datetime import timedelta

import pytest

from holdfast.catalog.answers.executors import answer_heartbeat, answer_release_claim
from holdfast.catalog.answers.runs import answer_cancel_run
from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.run import MOST_DEATHS
from holdfast.catalog.keeper import SILENCE, Keeper, found_within
from holdfast.events.queries import CancelRun, Heartbeat, ReleaseClaim
from holdfast.events.run import RunStatus
from support.catalog import Clock, published
from support.runs import claimed, protected_app, run_of, started

pytestmark = pytest.mark.postgres

LOCKED = "Locked by pid 7 on laptop since 2026-05-01 12:00 UTC."


async def test_who_leaves_in_order_is_followed_at_once(deps: Deps) -> None:
    run = await started(deps, await protected_app(deps))
    first = await claimed(deps, run.id)

    released = await answer_release_claim(ReleaseClaim(run_id=run.id, claim=first.claim), deps)
    late = await answer_heartbeat(Heartbeat(run_id=run.id, claim=first.claim), deps)
    second = await claimed(deps, run.id, executor_id="two")

    assert released.held
    assert not late.held
    assert (second.granted, second.claim) == (True, 2)


async def test_a_claim_that_passed_on_cannot_be_released(deps: Deps, clock: Clock) -> None:
    run = await started(deps, await protected_app(deps))
    first = await claimed(deps, run.id)
    clock.advance(minutes=1)
    second = await claimed(deps, run.id, executor_id="two")

    for query in (
        ReleaseClaim(run_id=run.id, claim=first.claim),
        ReleaseClaim(run_id=run.id, claim=first.claim, waiting_for=LOCKED, wait_seconds=20),
    ):
        assert not (await answer_release_claim(query, deps)).held
    assert (await answer_heartbeat(Heartbeat(run_id=run.id, claim=second.claim), deps)).held


async def test_who_waits_for_a_lock_says_so_and_comes_again(deps: Deps, clock: Clock) -> None:
    run = await started(deps, await protected_app(deps))
    first = await claimed(deps, run.id)
    began, said = clock(), len(await published(deps))

    await answer_release_claim(
        ReleaseClaim(run_id=run.id, claim=first.claim, waiting_for=LOCKED, wait_seconds=20), deps
    )
    waiting = await run_of(deps, run.id)
    assert waiting.status is RunStatus.QUEUED
    assert (waiting.waiting_for, waiting.waiting_since) == (LOCKED, began)
    await Keeper(deps).step()
    assert (await run_of(deps, run.id)).status is RunStatus.QUEUED

    clock.advance(seconds=20)
    await Keeper(deps).step()
    again = await run_of(deps, run.id)
    # With another id than before: the queue would take it for a repeat.
    (event,) = await published(deps, since=said)
    second = await claimed(deps, run.id, executor_id="two")

    assert again.status is RunStatus.IN_PROGRESS
    assert again.waiting_for == LOCKED
    assert event[0] == "backup.requested"
    assert event[1]["run_id"] == str(run.id)
    assert event[1]["event_id"] not in [
        each[1].get("event_id") for each in (await published(deps))[:said]
    ]
    assert second.granted
    assert second.waiting_since == began


async def test_waiting_for_a_lock_is_no_death(deps: Deps, clock: Clock) -> None:
    run = await started(deps, await protected_app(deps))
    for number in range(2 * MOST_DEATHS):
        claim = await claimed(deps, run.id, executor_id=str(number))
        assert claim.granted
        await answer_release_claim(
            ReleaseClaim(run_id=run.id, claim=claim.claim, waiting_for=LOCKED, wait_seconds=20),
            deps,
        )
        clock.advance(seconds=20)
        await Keeper(deps).step()


async def test_one_that_waits_for_a_lock_is_cancelled_at_once(deps: Deps) -> None:
    run = await started(deps, await protected_app(deps))
    claim = await claimed(deps, run.id)
    await answer_release_claim(
        ReleaseClaim(run_id=run.id, claim=claim.claim, waiting_for=LOCKED, wait_seconds=20), deps
    )

    cancelled = await answer_cancel_run(CancelRun(run_id=run.id), deps)

    assert cancelled.status is RunStatus.CANCELLED
    assert cancelled.waiting_for == ""


async def test_a_wish_to_cancel_is_met_when_the_run_goes_to_wait(deps: Deps) -> None:
    run = await started(deps, await protected_app(deps))
    claim = await claimed(deps, run.id)
    await answer_cancel_run(CancelRun(run_id=run.id), deps)

    await answer_release_claim(
        ReleaseClaim(run_id=run.id, claim=claim.claim, waiting_for=LOCKED, wait_seconds=20), deps
    )

    assert (await run_of(deps, run.id)).status is RunStatus.CANCELLED


async def test_a_run_that_its_executors_die_of_ends(deps: Deps, clock: Clock) -> None:
    run = await started(deps, await protected_app(deps))
    for number in range(MOST_DEATHS):
        claim = await claimed(deps, run.id, executor_id=str(number))
        assert claim.granted, number
        clock.advance(seconds=deps.settings.claim_seconds + 1)
    assert not (await claimed(deps, run.id, executor_id="last")).granted

    await Keeper(deps).sweep()

    ended = await run_of(deps, run.id)
    assert ended.status is RunStatus.FAILED
    assert ended.failure is not None
    assert ended.failure.code == "executors_died"
    assert ended.failure.guidance
    assert (await published(deps))[-1][0] == "run.completed"


async def test_a_run_that_nobody_takes_says_what_it_waits_for(deps: Deps, clock: Clock) -> None:
    run = await started(deps, await protected_app(deps))
    clock.advance(seconds=SILENCE.total_seconds() + 1)
    await Keeper(deps).sweep()

    assert (await run_of(deps, run.id)).waiting_for == "Waits for an executor of site 'main'."
    await claimed(deps, run.id)
    assert (await run_of(deps, run.id)).waiting_for == ""


async def test_admitted_is_told_from_claimed(deps: Deps) -> None:
    run = await run_of(deps, (await started(deps, await protected_app(deps))).id)
    assert (run.status, run.claim) == (RunStatus.IN_PROGRESS, 0)
    assert run.admitted_at is not None

    await claimed(deps, run.id)
    assert (await run_of(deps, run.id)).claim == 1


async def test_a_dead_executors_run_is_on_the_queue_again_within_a_minute(
    deps: Deps, clock: Clock
) -> None:
    """Even when the queue lost its message: looked at in every second of the minute."""
    assert found_within(deps.settings.claim_seconds) <= 60
    run = await started(deps, await protected_app(deps))
    await claimed(deps, run.id)
    died, said = clock(), len(await published(deps))
    keeper = Keeper(deps)

    while not await published(deps, since=said):
        clock.advance(seconds=1)
        await keeper.step()

    assert clock() - died <= timedelta(seconds=60)
    assert (await claimed(deps, run.id, executor_id="two")).granted
