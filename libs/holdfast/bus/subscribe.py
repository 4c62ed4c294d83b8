"""Hearing events: FastStream delivers, this module decides what becomes of a message.

FastStream's own defaults lose messages (one exception and it is gone) or hammer
(a bare nak comes back at once), so every message is settled here by hand.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from holdfast.bus import dead_letters
from holdfast.bus.bus import Bus
from holdfast.bus.connection import connection_options
from holdfast.bus.errors import RetryLater
from holdfast.bus.topology import ACK_WAIT_SECONDS, Durable, reconcile_durables
from holdfast.bus.wire import decode_event
from holdfast.events.base import Event, Stream
from holdfast.kernel.errors import HoldfastError, UnavailableError
from holdfast.telemetry.logs import Log, bound
from holdfast.telemetry.metrics import EVENT_SECONDS, EVENTS_HANDLED

log = Log("bus")

RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 60.0, 60.0)
"""Before each repeat; after the last one the message is a dead letter."""

AWAY_SECONDS = 15.0
"""At most, before a repeat while a part of Holdfast is away.  That is no fault of the message,
so it goes on for as long as it takes; and once the part is back nobody waits long."""

Handle = Callable[[Any], Awaitable[None]]

Faults = Counter[int]
"""How often handling failed, by a message's place in the stream.  The server counts deliveries,
and among those are the ones that were only postponed."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """One service's wish to hear one type of event."""

    service: str
    event_type: type[Event]
    handle: Handle
    only_new: bool = False

    @property
    def durable(self) -> Durable:
        return Durable(
            stream=Stream.FACTS,
            name=f"{self.service}-{self.event_type.TYPE.replace('.', '-')}",
            subject=f"evt.{self.event_type.TYPE}",
            only_new=self.only_new,
        )


class Subscriber:
    """All the subscriptions of a process, on a FastStream broker of their own."""

    def __init__(self, url: str, name: str) -> None:
        self._broker = NatsBroker(
            url,
            ack_policy=AckPolicy.MANUAL,
            logger=None,
            graceful_timeout=5.0,
            **connection_options(f"{name}-subscriber"),
        )

    async def start(self, bus: Bus, subscriptions: Sequence[Subscription]) -> None:
        """Make the durables, then listen."""
        await reconcile_durables(bus.context, [each.durable for each in subscriptions])
        for each in subscriptions:
            self._listen(bus, each)
        await self._broker.start()

    async def stop(self) -> None:
        """Let handlers end for a few seconds; what is cut goes back to the stream."""
        await self._broker.stop()

    def _listen(self, bus: Bus, subscription: Subscription) -> None:
        durable = subscription.durable
        faults: Faults = Counter()

        async def consume(message: NatsMessage) -> None:
            raw = message.raw_message
            if isinstance(raw, Msg):
                await settle(bus, subscription, raw, faults)

        self._broker.subscriber(
            durable.subject,
            stream=JStream(durable.stream, declare=False),
            pull_sub=PullSub(batch_size=1, timeout=5.0),
            durable=durable.name,
            no_reply=True,
        )(consume)


async def settle(bus: Bus, subscription: Subscription, message: Msg, faults: Faults) -> None:
    """Handle one message and say to the stream what became of it."""
    service, event_type = subscription.service, subscription.event_type.TYPE
    try:
        event = decode_event(message.headers, message.data)
    except msgspec.MsgspecError as error:
        await dead_letters.set_aside(bus.context, message, service, str(error))
        return

    outcome = "failed"
    keeper = asyncio.create_task(_keep(message))
    try:
        with (
            bound(service=service, event_type=event_type, event_id=str(event.event_id)),
            EVENT_SECONDS.labels(service, event_type).time(),
        ):
            outcome = await _handle(bus, subscription, event, message, faults)
    finally:
        keeper.cancel()
        EVENTS_HANDLED.labels(service, event_type, outcome).inc()


async def _handle(
    bus: Bus, subscription: Subscription, event: Event, message: Msg, faults: Faults
) -> str:
    place = message.metadata.sequence.stream
    try:
        await subscription.handle(event)
    except asyncio.CancelledError:
        # Shutting down: say so, or the message waits out its whole time.
        with suppress(NatsError):
            await asyncio.shield(message.nak(delay=1))
        raise
    except RetryLater as wish:
        await message.nak(delay=wish.delay_seconds)
        return "postponed"
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        if _is_away(error):
            log.warning("event_waits", error=said)
            delivered = min(message.metadata.num_delivered, len(RETRY_SECONDS))
            await message.nak(delay=min(RETRY_SECONDS[delivered - 1], AWAY_SECONDS))
            return "postponed"
        faults[place] += 1
        attempt = faults[place]
        passing = not isinstance(error, HoldfastError) or error.retryable
        if attempt > len(RETRY_SECONDS) or not passing:
            log.exception("event_given_up", attempt=attempt)
            await dead_letters.set_aside(bus.context, message, subscription.service, said)
            del faults[place]
            return "dead"
        log.warning("event_failed", attempt=attempt, error=said)
        await message.nak(delay=RETRY_SECONDS[attempt - 1])
        return "failed"
    faults.pop(place, None)
    await message.ack()
    return "ok"


def _is_away(error: Exception) -> bool:
    """Whether a part of Holdfast does not answer; as the catalog's answer it has no type."""
    return isinstance(error, HoldfastError) and error.status == UnavailableError.status


async def _keep(message: Msg) -> None:
    """Tell the stream that the handler is still at it."""
    while True:
        await asyncio.sleep(ACK_WAIT_SECONDS / 3)
        with suppress(NatsError):
            await message.in_progress()
