"""Executors ask for runs: one holds a run at a time, and only it gets the secrets."""

import asyncio
from uuid import UUID

import msgspec
import pytest

from holdfast.catalog.answers.executors import answer_heartbeat
from holdfast.catalog.answers.runs import answer_cancel_run
from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import on_run_completed, on_snapshot_completed
from holdfast.events.queries import CancelRun, Heartbeat, claim_purpose
from holdfast.events.run import RunStatus
from holdfast.events.work import DestinationSecrets
from holdfast.kernel.ids import new_id
from holdfast.secretbox.envelope import ReceiverKey
from holdfast.secretbox.errors import SealBrokenError
from support.catalog import Clock
from support.runs import claimed, protected_app, run_ended, run_of, snapshot_made, started

pytestmark = pytest.mark.postgres


async def test_of_twenty_that_ask_at_once_one_gets_it(deps: Deps) -> None:
    run = await started(deps, await protected_app(deps))

    answers = await asyncio.gather(
        *(claimed(deps, run.id, executor_id=str(number)) for number in range(20))
    )

    granted = [answer for answer in answers if answer.granted]
    assert [answer.claim for answer in granted] == [1]
    assert all(0 < answer.wait_seconds <= 15 for answer in answers if not answer.granted)
    assert (await run_of(deps, run.id)).claim == 1


async def test_the_claim_opens_the_destinations_for_its_holder_alone(deps: Deps) -> None:
    protected = await protected_app(deps, destinations=("A", "B"))
    run = await started(deps, protected)
    key, other = ReceiverKey.generate(), ReceiverKey.generate()

    claim = await claimed(deps, run.id, key=key)

    purpose = claim_purpose(run.id, claim.claim)
    opened = msgspec.json.decode(
        key.open(claim.sealed_secrets, purpose), type=dict[UUID, DestinationSecrets]
    )
    assert set(opened) == set(protected.destination_ids)
    assert all(each.repo_password for each in opened.values())
    for wrong_key, wrong_purpose in ((other, purpose), (key, claim_purpose(run.id, 2))):
        with pytest.raises(SealBrokenError):
            wrong_key.open(claim.sealed_secrets, wrong_purpose)


async def test_a_claim_that_ran_out_passes_on_and_the_old_holder_is_told(
    deps: Deps, clock: Clock
) -> None:
    run = await started(deps, await protected_app(deps))
    first = await claimed(deps, run.id)

    clock.advance(seconds=deps.settings.claim_seconds - 1)
    assert not (await claimed(deps, run.id, executor_id="two")).granted
    assert (await answer_heartbeat(Heartbeat(run_id=run.id, claim=first.claim), deps)).held
    clock.advance(seconds=deps.settings.claim_seconds - 1)
    assert not (await claimed(deps, run.id, executor_id="two")).granted
    clock.advance(seconds=1)
    second = await claimed(deps, run.id, executor_id="two")

    assert (second.granted, second.claim) == (True, 2)
    assert not (await answer_heartbeat(Heartbeat(run_id=run.id, claim=first.claim), deps)).held
    assert (await answer_heartbeat(Heartbeat(run_id=run.id, claim=second.claim), deps)).held


async def test_one_that_is_late_but_alone_keeps_its_claim(deps: Deps, clock: Clock) -> None:
    run = await started(deps, await protected_app(deps))
    claim = await claimed(deps, run.id)

    clock.advance(seconds=10 * deps.settings.claim_seconds)

    assert (await answer_heartbeat(Heartbeat(run_id=run.id, claim=claim.claim), deps)).held
    assert not (await claimed(deps, run.id, executor_id="two")).granted


async def test_who_takes_over_learns_what_is_done(deps: Deps, clock: Clock) -> None:
    run = await started(deps, await protected_app(deps, destinations=("A", "B")))
    first = await claimed(deps, run.id)
    await on_snapshot_completed(snapshot_made(run, first.claim, clock()), deps)

    clock.advance(minutes=1)
    second = await claimed(deps, run.id, executor_id="two")

    assert second.done_snapshot_ids == (run.snapshot_ids[0],)


async def test_what_has_ended_or_never_was_is_dropped(deps: Deps, clock: Clock) -> None:
    run = await started(deps, await protected_app(deps))
    claim = (await claimed(deps, run.id)).claim
    await on_snapshot_completed(snapshot_made(run, claim, clock()), deps)
    await on_run_completed(run_ended(run, claim, clock()), deps)

    for run_id in (run.id, new_id()):
        answer = await claimed(deps, run_id, executor_id="two")
        assert (answer.granted, answer.wait_seconds) == (False, 0)
    assert not (await answer_heartbeat(Heartbeat(run_id=run.id, claim=claim), deps)).held


async def test_what_is_queued_is_not_given_away(deps: Deps, clock: Clock) -> None:
    protected = await protected_app(deps)
    run = await started(deps, protected)
    await deps.pool.execute("update run set status = 'queued' where id = $1", run.id)

    answer = await claimed(deps, run.id)

    assert not answer.granted
    assert answer.wait_seconds > 0
    assert (await run_of(deps, run.id)).claim == 0


async def test_a_heartbeat_tells_that_the_run_is_to_stop(deps: Deps) -> None:
    run = await started(deps, await protected_app(deps))
    claim = (await claimed(deps, run.id)).claim

    before = await answer_heartbeat(Heartbeat(run_id=run.id, claim=claim), deps)
    await answer_cancel_run(CancelRun(run_id=run.id), deps)
    after = await answer_heartbeat(Heartbeat(run_id=run.id, claim=claim), deps)

    assert (before.held, before.cancel, after.held, after.cancel) == (True, False, True, True)
    assert (await run_of(deps, run.id)).status is RunStatus.IN_PROGRESS
