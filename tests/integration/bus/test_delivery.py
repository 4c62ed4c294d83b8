"""What the bus promises, on a real server: repeats, retries, dead letters, work, questions."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.errors import APIError

from holdfast.bus import Bus, RetryLater
from holdfast.bus.answers import Answerer, AnswerTo
from holdfast.bus.subscribe import Subscriber, Subscription
from holdfast.bus.topology import DEAD_LETTERS
from holdfast.events.base import Event
from holdfast.events.due import PruneDue
from holdfast.events.queries import Done, GetPruneView, PruneView, RemoveDestination
from holdfast.events.run import Operation, RunProgress
from holdfast.events.work import DestinationAddress, DestinationType, PruneAdmitted
from holdfast.kernel.errors import ConflictError, HoldfastError, UnavailableError
from holdfast.kernel.ids import new_id

pytestmark = pytest.mark.nats

WHEN = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    bus = await Bus.open(nats_url, "test")
    yield bus
    await bus.close()


def due(event_id: UUID | None = None) -> PruneDue:
    return PruneDue(
        event_id=event_id or new_id(),
        occurred_at=WHEN,
        destination_id=new_id(),
        scheduled_for=WHEN,
    )


def work(run_id: UUID) -> PruneAdmitted:
    address = DestinationAddress(
        destination_id=new_id(), name="nas", type=DestinationType.LOCAL, local_path="/x"
    )
    return PruneAdmitted(
        event_id=new_id(), occurred_at=WHEN, run_id=run_id, site="here", address=address
    )


class Ear:
    """Hears events, and raises what it is told to before it takes one in."""

    def __init__(self, *troubles: Exception) -> None:
        self.troubles = list(troubles)
        self.calls = 0
        self.heard: list[Event] = []
        self.happened = asyncio.Condition()

    async def __call__(self, event: Event) -> None:
        async with self.happened:
            self.calls += 1
            self.happened.notify_all()
            if self.troubles:
                raise self.troubles.pop(0)
            self.heard.append(event)

    async def until(self, count: int) -> None:
        async with self.happened, asyncio.timeout(20):
            await self.happened.wait_for(lambda: len(self.heard) >= count)


@pytest.fixture
async def listen(bus: Bus, nats_url: str) -> AsyncIterator[object]:
    subscribers: list[Subscriber] = []

    async def start(ear: Ear, service: str = "ear") -> None:
        subscriber = Subscriber(nats_url, service)
        subscribers.append(subscriber)
        await subscriber.start(
            bus, [Subscription(service=service, event_type=PruneDue, handle=ear)]
        )

    yield start
    for subscriber in subscribers:
        await subscriber.stop()


async def test_a_repeat_with_the_same_id_is_heard_once(bus: Bus, listen) -> None:  # type: ignore[no-untyped-def]  # the fixture's type is private
    ear = Ear()
    await listen(ear)
    event = due()
    last = due()

    await bus.publish(event)
    await bus.publish(event)
    await bus.publish(last)
    await ear.until(2)

    assert ear.heard == [event, last]


async def test_two_services_each_hear_an_event(bus: Bus, listen) -> None:  # type: ignore[no-untyped-def]  # the fixture's type is private
    one, two = Ear(), Ear()
    await listen(one, "one")
    await listen(two, "two")

    await bus.publish(due())
    await one.until(1)
    await two.until(1)

    assert one.heard == two.heard


async def test_a_handler_that_fails_gets_the_event_again(bus: Bus, listen) -> None:  # type: ignore[no-untyped-def]  # the fixture's type is private
    ear = Ear(RuntimeError("not now"), RetryLater(0.1))
    await listen(ear)

    await bus.publish(due())
    await ear.until(1)

    assert ear.calls == 3


async def test_a_part_that_is_away_never_makes_a_dead_letter(
    bus: Bus,
    listen,  # type: ignore[no-untyped-def]  # the fixture's type is private
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("holdfast.bus.subscribe.RETRY_SECONDS", (0.01, 0.01))
    ear = Ear(*(UnavailableError() for _ in range(6)))
    await listen(ear)

    await bus.publish(due())
    await ear.until(1)

    assert ear.calls == 7


async def test_being_postponed_does_not_use_up_the_repeats(
    bus: Bus,
    listen,  # type: ignore[no-untyped-def]  # the fixture's type is private
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("holdfast.bus.subscribe.RETRY_SECONDS", (0.01, 0.01))
    ear = Ear(*(RetryLater(0.01) for _ in range(6)), RuntimeError("not now"))
    await listen(ear)

    await bus.publish(due())
    await ear.until(1)

    assert ear.calls == 8


async def test_what_fails_again_and_again_becomes_a_dead_letter(
    bus: Bus,
    listen,  # type: ignore[no-untyped-def]  # the fixture's type is private
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("holdfast.bus.subscribe.RETRY_SECONDS", (0.01, 0.01))
    ear = Ear(*(RuntimeError("broken") for _ in range(3)))
    await listen(ear)
    refused, fine = due(), due()

    await bus.publish(refused)
    await bus.publish(fine)
    await ear.until(1)
    letter = await bus.context.get_msg(DEAD_LETTERS, 1)

    assert ear.heard == [fine]
    assert letter.headers is not None
    assert letter.headers["ce-id"] == str(refused.event_id)


async def test_what_can_never_succeed_becomes_a_dead_letter_with_its_reason(
    bus: Bus,
    listen,  # type: ignore[no-untyped-def]  # the fixture's type is private
) -> None:
    ear = Ear(ConflictError("It does not fit."))
    await listen(ear)
    refused, fine = due(), due()

    await bus.publish(refused)
    await bus.publish(fine)
    await ear.until(1)
    letter = await bus.context.get_msg(DEAD_LETTERS, 1)

    assert ear.heard == [fine]
    assert letter.headers is not None
    assert letter.headers["Holdfast-Dead-Reason"] == "ConflictError: It does not fit."
    assert letter.headers["ce-id"] == str(refused.event_id)


async def test_a_message_that_is_no_event_becomes_a_dead_letter(bus: Bus, listen) -> None:  # type: ignore[no-untyped-def]  # the fixture's type is private
    ear = Ear()
    await listen(ear)

    await bus.context.publish("evt.prune.due", b"{", headers={"ce-type": "prune.due"})
    await bus.publish(due())
    await ear.until(1)
    letter = await bus.context.get_msg(DEAD_LETTERS, 1)

    assert ear.calls == 1
    assert letter.data == b"{"


async def test_a_bus_that_goes_while_a_message_is_set_aside_is_told_as_away(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise NatsTimeoutError

    await bus.context.publish("work.odd.prune.x", b"{", headers={"ce-type": "prune.admitted"})
    with monkeypatch.context() as patch:
        patch.setattr("holdfast.bus.dead_letters.copy", away)
        with pytest.raises(UnavailableError):
            await bus.next_job("odd", 5)


async def test_work_is_queued_once_and_given_to_one(bus: Bus, nats_url: str) -> None:
    other = await Bus.open(nats_url, "other")
    run_id = new_id()

    await bus.publish(work(run_id))
    await bus.publish(work(run_id))
    job = await bus.next_job("here", 5)
    nothing = await other.next_job("here", 0.3)

    assert job is not None
    assert job.work.run_id == run_id
    assert nothing is None
    await job.again(0)
    back = await other.next_job("here", 5)
    assert back is not None
    assert back.attempt == 2
    await back.done()
    await bus.publish(work(run_id))
    assert await bus.next_job("here", 5) is not None
    await other.close()


async def test_a_question_gets_its_answer_or_the_error_that_was_raised(bus: Bus) -> None:
    async def prune_view(_: GetPruneView) -> PruneView:
        return PruneView(needed=True)

    async def remove(_: RemoveDestination) -> Done:
        raise ConflictError("Two policies use it.", guidance="Take it out of them first.")

    answerer = Answerer(bus)
    await answerer.start(
        [
            AnswerTo(service="catalog", query_type=GetPruneView, reply=prune_view),
            AnswerTo(service="catalog", query_type=RemoveDestination, reply=remove),
        ]
    )

    answer = await bus.request(GetPruneView(destination_id=new_id()))
    with pytest.raises(HoldfastError) as caught:
        await bus.request(RemoveDestination(destination_id=new_id()))
    await answerer.stop()

    assert answer == PruneView(needed=True)
    assert caught.value.code == "conflict"
    assert caught.value.status == 409
    assert caught.value.hint == "Take it out of them first."


async def test_a_question_to_nobody_says_so_at_once(bus: Bus) -> None:
    with pytest.raises(UnavailableError, match="not there"):
        await bus.request(GetPruneView(destination_id=new_id()))


async def test_facts_are_replayed_from_a_place_and_then_live(bus: Bus) -> None:
    first, second, third = due(), due(), due()
    await bus.publish(first)
    await bus.publish(second)

    facts = bus.facts(after_sequence=1)
    replayed = await anext(facts)
    await bus.publish(third)
    live = await anext(facts)
    await facts.aclose()  # type: ignore[attr-defined]  # an async generator behind its iterator type

    assert [replayed, live] == [(2, second), (3, third)]


async def test_progress_is_not_kept(bus: Bus) -> None:
    event = RunProgress(
        event_id=new_id(),
        occurred_at=WHEN,
        run_id=new_id(),
        operation=Operation.BACKUP,
        fraction=0.5,
    )
    watch = bus.progress()
    first = asyncio.create_task(anext(watch))  # type: ignore[arg-type]  # anext's stub wants a coroutine
    while not first.done():
        await bus.publish(event)
        await asyncio.wait([first], timeout=0.05)

    assert first.result() == event
    facts = await bus.context.stream_info("FACTS")
    assert facts.state.messages == 0


async def test_work_of_a_newer_release_is_told_of_once_and_waits_for_an_executor_that_knows_it(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.bus.bus.PASS_ON_SECONDS", 0.0)
    subject = f"work.here.future.requested.{new_id()}"

    async def queue_it() -> None:
        await bus.context.publish(
            subject, b"{}", stream="WORK", headers={"ce-type": "future.requested"}
        )

    await queue_it()
    for _ in range(3):
        assert await bus.next_job("here", 2) is None
        with pytest.raises(APIError):  # what the catalog's keeper does: it is there already
            await queue_it()

    assert (await bus.context.stream_info(DEAD_LETTERS)).state.messages == 1
    letter = await bus.context.get_msg(DEAD_LETTERS, 1)
    assert letter.headers is not None
    assert "future.requested" in letter.headers["Holdfast-Dead-Reason"]
    assert (await bus.context.get_last_msg("WORK", subject)).data == b"{}"
