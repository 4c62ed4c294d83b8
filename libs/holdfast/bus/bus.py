"""What a service can do with the bus: say, ask, take work, and watch."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError

from holdfast.bus import dead_letters
from holdfast.bus.connection import connect
from holdfast.bus.topology import (
    executor_durable,
    reconcile_durables,
    reconcile_streams,
)
from holdfast.bus.wire import decode_event, decode_reply, headers_of
from holdfast.events.base import Event, Stream, Work, encode
from holdfast.events.queries import Query
from holdfast.events.run import RunProgress
from holdfast.kernel.errors import EventRefusedError, UnavailableError
from holdfast.telemetry.logs import Log

R = TypeVar("R")
log = Log("bus")

PUBLISH_TIMEOUT_SECONDS = 8.0
"""Longer than a JetStream leader's fail-over, which was measured at five to six seconds."""

ALREADY_QUEUED = 10077
"""The server's code for a second message on a subject of WORK, which keeps one."""


PASS_ON_SECONDS = 60.0
"""Work that this release does not understand comes again after so long: an executor of the
release that made it may be there by then."""


PASS_ON_TELLS = 10
"""It is set aside at its first deliveries only, in case the bus was away at the very first:
for so long the dead letters know a repeat."""


class Job:
    """One message of the work queue, and what may become of it."""

    def __init__(self, message: Msg, work: Work, context: JetStreamContext) -> None:
        self._message = message
        self._context = context
        self.work = work

    @property
    def attempt(self) -> int:
        """How often it has been given out, this time included."""
        return self._message.metadata.num_delivered

    async def in_progress(self) -> None:
        """Keep it: another executor gets it when this is not said for 15 seconds."""
        await self._message.in_progress()

    async def done(self) -> None:
        """Take it off the queue, and know that the server did."""
        await self._message.ack_sync(timeout=5)

    async def again(self, delay_seconds: float) -> None:
        """Put it back for whoever is free after the delay."""
        await self._message.nak(delay=delay_seconds)

    async def pass_on(self, reason: str) -> None:
        """Leave it for an executor of another release."""
        await _pass_on(self._context, self._message, reason)

    async def give_up(self, reason: str) -> None:
        """Set it aside as a dead letter."""
        await dead_letters.set_aside(self._context, self._message, "executor", reason)


class Bus:
    """One NATS connection.  Open it with ``Bus.open``, close it with ``close``."""

    def __init__(self, client: Client, source: str) -> None:
        self.client = client
        self.context = client.jetstream(timeout=PUBLISH_TIMEOUT_SECONDS)
        self._source = source
        self._work: dict[str, JetStreamContext.PullSubscription] = {}

    @staticmethod
    async def open(url: str, source: str) -> "Bus":
        """Connect, and make the streams as they should be."""
        bus = Bus(await connect(url, source), source)
        await reconcile_streams(bus.context)
        return bus

    async def close(self) -> None:
        """Send what is still on its way, then part.

        Not by ``drain``: it waits half a minute for a subscription whose reader is gone.
        """
        if self.client.is_connected:
            with suppress(NatsError, TimeoutError):
                await self.client.flush(timeout=2)
        await self.client.close()

    @property
    def connected(self) -> bool:
        """Whether the server is there right now."""
        return self.client.is_connected

    @property
    def reconnects(self) -> int:
        """How often the connection was lost and came back: a short break is seen here only."""
        count: int = self.client.stats["reconnects"]
        return count

    async def publish(self, event: Event) -> None:
        """Say *event*, and know that the stream has it.

        A repeat with the same id is dropped by the stream; work that is queued
        already is not queued twice.  Raises UnavailableError, and EventRefusedError for
        one that the server can never take.
        """
        headers, body = headers_of(event, self._source), encode(event)
        # The server ends a connection on which more comes; nats-py counts the body alone.
        size = len(body) + sum(len(name) + len(value) + 4 for name, value in headers.items()) + 12
        if self.connected and size > self.client.max_payload:
            raise EventRefusedError(
                f"An event of type {event.TYPE!r} has {size} bytes; the bus takes "
                f"{self.client.max_payload} at most."
            )
        if event.STREAM is Stream.TRANSIENT:
            await self.client.publish(event.subject, body, headers=headers)
            return
        try:
            await self.context.publish(
                event.subject,
                body,
                stream=event.STREAM,
                headers=headers,
                timeout=PUBLISH_TIMEOUT_SECONDS,
            )
        except APIError as error:
            if error.err_code == ALREADY_QUEUED and event.STREAM is Stream.WORK:
                return
            raise UnavailableError("The bus did not take an event.", detail=str(error)) from error
        except (TimeoutError, NatsError) as error:
            raise UnavailableError("The bus does not answer.", detail=str(error)) from error

    async def request(self, query: Query[R], *, timeout: float = 10.0) -> R:
        """Ask the catalog; what it raises is raised here.  Raises UnavailableError too."""
        try:
            message = await self.client.request(query.SUBJECT, encode(query), timeout=timeout)
        except NoRespondersError as error:
            raise UnavailableError("The catalog is not there.") from error
        except (TimeoutError, NatsTimeoutError) as error:
            raise UnavailableError("The catalog did not answer in time.") from error
        except NatsError as error:
            raise UnavailableError("The bus does not answer.", detail=str(error)) from error
        reply: R = decode_reply(message.headers, message.data, query.REPLY)
        return reply

    async def next_job(self, site: str, timeout: float) -> Job | None:
        """The next piece of work of *site*, or None when none came in *timeout* seconds.

        One message at a time and never ahead of need: a prefetched message
        would wait unspoken for behind a long one.
        """
        try:
            subscription = await self._work_subscription(site)
            (message,) = await subscription.fetch(1, timeout=timeout)
        except (TimeoutError, NatsTimeoutError):
            return None
        except (NatsError, APIError) as error:
            self._work.pop(site, None)
            raise UnavailableError("The bus does not answer.", detail=str(error)) from error
        try:
            try:
                work = decode_event(message.headers, message.data)
            except msgspec.MsgspecError as error:
                await _pass_on(self.context, message, str(error))
                return None
            if not isinstance(work, Work):
                await dead_letters.set_aside(self.context, message, "executor", "not work")
                return None
        except (TimeoutError, NatsError) as error:
            # It comes again by itself.
            raise UnavailableError("The bus does not answer.", detail=str(error)) from error
        return Job(message, work, self.context)

    async def _work_subscription(self, site: str) -> JetStreamContext.PullSubscription:
        if site not in self._work:
            durable = executor_durable(site)
            await reconcile_durables(self.context, [durable])
            self._work[site] = await self.context.pull_subscribe_bind(
                durable=durable.name, stream=durable.stream
            )
        return self._work[site]

    async def facts(self, after_sequence: int | None) -> AsyncIterator[tuple[int, Event]]:
        """Facts as they come, each with its place in the stream.

        With *after_sequence*, first those that came after it.  A fact that this
        release does not know is passed over.
        """
        config = ConsumerConfig(deliver_policy=DeliverPolicy.NEW)
        if after_sequence is not None:
            config = ConsumerConfig(
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=after_sequence + 1
            )
        subscription = await self.context.subscribe(
            "evt.>", stream=Stream.FACTS, ordered_consumer=True, config=config
        )
        try:
            async for message in subscription.messages:
                try:
                    event = decode_event(message.headers, message.data)
                except msgspec.MsgspecError:
                    continue
                yield message.metadata.sequence.stream, event
        finally:
            await _unsubscribe(subscription)

    async def last_fact(self) -> int:
        """The newest fact's place in the stream; 0 when there is none.  Raises UnavailableError."""
        try:
            info = await self.context.stream_info(Stream.FACTS)
        except (TimeoutError, NatsError) as error:
            raise UnavailableError("The bus does not answer.", detail=str(error)) from error
        return info.state.last_seq

    async def watch(self, event_type: type[Event]) -> AsyncIterator[Event]:
        """Events of one type while they are said; what is missed is missed."""
        subject = (
            f"progress.{event_type.TYPE}"
            if event_type.STREAM is Stream.TRANSIENT
            else f"evt.{event_type.TYPE}"
        )
        subscription = await self.client.subscribe(subject)
        try:
            async for message in subscription.messages:
                try:
                    yield msgspec.json.decode(message.data, type=event_type)
                except msgspec.MsgspecError:
                    continue
        finally:
            await _unsubscribe(subscription)

    async def progress(self) -> AsyncIterator[RunProgress]:
        """How far runs are, as executors say it."""
        async for event in self.watch(RunProgress):
            if isinstance(event, RunProgress):
                yield event


async def _unsubscribe(subscription: Any) -> None:
    try:
        await subscription.unsubscribe()
    except NatsError:
        log.debug("unsubscribe_on_a_closed_connection")


async def _pass_on(context: JetStreamContext, message: Msg, reason: str) -> None:
    """Copy it to the dead letters, once, and put it back.

    On the queue it is in the way of nobody; taken off it, the catalog would queue the run
    again, and it would be set aside again, for as long as the run waits.
    """
    if message.metadata.num_delivered <= PASS_ON_TELLS:
        await dead_letters.copy(context, message, "executor", reason)
    await message.nak(delay=PASS_ON_SECONDS)
