"""Holding a run: who is told to stop, when, and what becomes of the work."""

import asyncio
import time
from typing import Any

import pytest

from holdfast.bus.testing import RecordingBus
from holdfast.events.queries import Heartbeat, HeartbeatReply
from holdfast.executor.hold import Hold, Reason, StoppedError
from holdfast.kernel.ids import new_id


def hold_of(bus: RecordingBus, lasts: float = 0.15) -> Hold:
    return Hold(
        bus,
        new_id(),
        1,
        lasts_seconds=lasts,
        held_since=time.monotonic(),
        monotonic=time.monotonic,
    )


def saying(reply: Any) -> RecordingBus:
    return RecordingBus({Heartbeat: reply})


async def for_ever() -> None:
    await asyncio.Event().wait()


async def test_work_goes_on_while_the_run_is_held() -> None:
    bus = saying(HeartbeatReply(held=True))

    async def three_heartbeats() -> str:
        while len(bus.asked) < 3:
            await asyncio.sleep(0.01)
        return "done"

    async with hold_of(bus) as hold:
        assert await hold.guard(three_heartbeats()) == "done"
        assert hold.reason is None


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (HeartbeatReply(held=False), Reason.FENCED),
        (HeartbeatReply(held=True, cancel=True), Reason.CANCELLED),
    ],
)
async def test_the_catalogs_word_ends_the_work(reply: HeartbeatReply, reason: Reason) -> None:
    async with hold_of(saying(reply)) as hold:
        with pytest.raises(StoppedError) as stopped:
            await hold.guard(for_ever())

    assert stopped.value.reason is reason


async def test_silence_for_as_long_as_a_claim_lasts_fences() -> None:
    began = time.monotonic()

    async with hold_of(RecordingBus()) as hold:
        with pytest.raises(StoppedError) as stopped:
            await hold.guard(for_ever())

    assert stopped.value.reason is Reason.FENCED
    assert 0.15 <= time.monotonic() - began < 2


async def test_an_answer_that_is_not_understood_counts_as_silence() -> None:
    def odd(_: Any) -> HeartbeatReply:
        raise ValueError("from another release")

    async with hold_of(saying(odd)) as hold:
        with pytest.raises(StoppedError) as stopped:
            async with asyncio.timeout(5):
                await hold.guard(for_ever())

    assert stopped.value.reason is Reason.FENCED


async def test_one_unanswered_heartbeat_harms_nothing() -> None:
    bus = RecordingBus()

    async def answered_late() -> None:
        while not bus.asked:
            await asyncio.sleep(0.01)
        bus.answers[Heartbeat] = HeartbeatReply(held=True)
        while len(bus.asked) < 5:
            await asyncio.sleep(0.01)

    async with hold_of(bus, lasts=0.6) as hold:
        await hold.guard(answered_late())

    assert hold.reason is None


async def test_work_is_over_when_the_guard_raises() -> None:
    ended = []

    async def slow_to_end() -> None:
        try:
            await for_ever()
        finally:
            await asyncio.sleep(0.02)
            ended.append(True)

    async with hold_of(saying(HeartbeatReply(held=False))) as hold:
        with pytest.raises(StoppedError):
            await hold.guard(slow_to_end())

    assert ended == [True]


async def test_what_was_finished_before_the_stop_counts_unless_fenced() -> None:
    async def finishes_anyway() -> str:
        try:
            await for_ever()
        except asyncio.CancelledError:
            return "finished"
        return "never"

    async with hold_of(saying(HeartbeatReply(held=True, cancel=True))) as hold:
        assert await hold.guard(finishes_anyway()) == "finished"
    async with hold_of(saying(HeartbeatReply(held=False))) as hold:
        with pytest.raises(StoppedError):
            await hold.guard(finishes_anyway())


async def test_an_error_after_the_stop_is_the_stop() -> None:
    async def breaks() -> None:
        try:
            await for_ever()
        finally:
            raise RuntimeError("restic was interrupted")

    async with hold_of(saying(HeartbeatReply(held=True, cancel=True))) as hold:
        with pytest.raises(StoppedError):
            await hold.guard(breaks())


async def test_nothing_is_begun_after_a_stop() -> None:
    async with hold_of(saying(HeartbeatReply(held=True))) as hold:
        hold.stop(Reason.LEAVING)
        with pytest.raises(StoppedError):
            await hold.guard(for_ever())


async def test_the_gravest_reason_counts() -> None:
    hold = hold_of(RecordingBus())
    reasons = []

    for reason in (Reason.LEAVING, Reason.CANCELLED, Reason.FENCED, Reason.LEAVING):
        hold.stop(reason)
        reasons.append(hold.reason)

    assert reasons == [Reason.LEAVING, Reason.CANCELLED, Reason.FENCED, Reason.FENCED]
    assert hold.leaving


async def test_looking_asks_at_once() -> None:
    bus = saying(HeartbeatReply(held=True, cancel=True))

    async with hold_of(bus, lasts=600) as hold:
        hold.look()
        with pytest.raises(StoppedError):
            await hold.guard(for_ever())
