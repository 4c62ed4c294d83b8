"""Answering questions: request and reply over core NATS, shared among equals by queue group."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from holdfast.bus.bus import Bus
from holdfast.bus.wire import ERROR_HEADER, Problem
from holdfast.events.base import encode
from holdfast.events.queries import Query
from holdfast.kernel.errors import HoldfastError, InvalidRequestError
from holdfast.telemetry.logs import Log, bound
from holdfast.telemetry.metrics import QUERIES

log = Log("bus")


class AnswerTo(msgspec.Struct, frozen=True, kw_only=True):
    """One service's readiness to answer one kind of question."""

    service: str
    query_type: type[Query[Any]]
    reply: Callable[[Any], Awaitable[Any]]


class Answerer:
    """All the answers of a process."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._subscriptions: list[Subscription] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, answers: Sequence[AnswerTo]) -> None:
        """Listen; each question is answered in a task of its own, so a slow one blocks none."""
        for each in answers:
            self._subscriptions.append(
                await self._bus.client.subscribe(
                    each.query_type.SUBJECT, queue=each.service, cb=self._callback(each)
                )
            )
        await self._bus.client.flush()

    async def stop(self) -> None:
        """Take no more questions, and end the answers that are not ready."""
        if self._bus.connected:
            for subscription in self._subscriptions:
                await subscription.unsubscribe()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _callback(self, each: AnswerTo) -> Callable[[Msg], Awaitable[None]]:
        async def on_question(message: Msg) -> None:
            task = asyncio.create_task(_answer(each, self._bus.client, message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return on_question


async def _answer(each: AnswerTo, client: Client, message: Msg) -> None:
    subject = each.query_type.SUBJECT
    headers: dict[str, str] | None = None
    try:
        with bound(service=each.service, query=subject):
            body = await _reply(each, message.data)
        QUERIES.labels(subject, "ok").inc()
    except HoldfastError as error:
        headers, body = {ERROR_HEADER: error.code}, encode(Problem.of(error))
        QUERIES.labels(subject, error.code).inc()
    if message.reply:
        await client.publish(message.reply, body, headers=headers)


async def _reply(each: AnswerTo, data: bytes) -> bytes:
    try:
        query = msgspec.json.decode(data, type=each.query_type)
    except msgspec.MsgspecError as error:
        raise InvalidRequestError(f"The question does not fit: {error}") from error
    try:
        return encode(await each.reply(query))
    except HoldfastError:
        raise
    except Exception as error:
        log.exception("query_failed")
        raise HoldfastError(detail=type(error).__name__) from error
