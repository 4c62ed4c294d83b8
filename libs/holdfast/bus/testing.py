"""A bus that only remembers: for unit tests of handlers.  Delivery is tested on a real server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from inspect import isawaitable
from typing import Any, TypeVar

from holdfast.events.base import Event, Work
from holdfast.events.queries import Query
from holdfast.events.run import RunProgress
from holdfast.kernel.errors import UnavailableError

R = TypeVar("R")
Answer = Any | Callable[[Any], Any | Awaitable[Any]]


class RecordedJob:
    """A job as ``Bus.next_job`` gives it; ``fate`` tells what became of it."""

    def __init__(self, work: Work, attempt: int = 1) -> None:
        self.work = work
        self.attempt = attempt
        self.fate: tuple[str, Any] | None = None
        self.kept = 0

    async def in_progress(self) -> None:
        self.kept += 1

    async def done(self) -> None:
        self.fate = ("done", None)

    async def again(self, delay_seconds: float) -> None:
        self.fate = ("again", delay_seconds)

    async def pass_on(self, reason: str) -> None:
        self.fate = ("passed on", reason)

    async def give_up(self, reason: str) -> None:
        self.fate = ("given up", reason)


class RecordingBus:
    """What was published, in order; questions are answered from ``answers``.

    A value in ``answers`` is the reply, or a function of the query that returns
    (or raises) it.
    """

    def __init__(self, answers: dict[type[Query[Any]], Answer] | None = None) -> None:
        self.published: list[Event] = []
        self.asked: list[Query[Any]] = []
        self.answers: dict[type[Query[Any]], Answer] = dict(answers or {})
        self.jobs: asyncio.Queue[RecordedJob] = asyncio.Queue()
        self.stream: asyncio.Queue[tuple[int, Event]] = asyncio.Queue()
        self.newest_fact = 0
        self.connected = True
        self.reconnects = 0

    async def publish(self, event: Event) -> None:
        if not self.connected:
            raise UnavailableError
        self.published.append(event)

    async def request(self, query: Query[R], *, timeout: float = 10.0) -> R:  # noqa: ARG002 - the real one's signature
        self.asked.append(query)
        if type(query) not in self.answers:
            raise UnavailableError("The catalog is not there.")
        answer = self.answers[type(query)]
        reply = answer(query) if callable(answer) else answer
        value: R = await reply if isawaitable(reply) else reply
        return value

    async def next_job(self, site: str, timeout: float) -> RecordedJob | None:  # noqa: ARG002 - the real one's signature
        try:
            return await asyncio.wait_for(self.jobs.get(), timeout)
        except TimeoutError:
            return None

    async def facts(self, after_sequence: int | None) -> AsyncIterator[tuple[int, Event]]:
        """What is put into ``stream``, from after that place on."""
        while True:
            sequence, event = await self.stream.get()
            if after_sequence is None or sequence > after_sequence:
                yield sequence, event

    async def last_fact(self) -> int:
        """``newest_fact``, when the bus is there."""
        if not self.connected:
            raise UnavailableError
        return self.newest_fact

    async def watch(self, event_type: type[Event]) -> AsyncIterator[Event]:
        """Events of a type that were published, and those that will be."""
        seen = 0
        while True:
            for event in self.published[seen:]:
                seen += 1
                if isinstance(event, event_type):
                    yield event
            await asyncio.sleep(0.01)

    async def progress(self) -> AsyncIterator[RunProgress]:
        """Progress that was published, and will be."""
        async for event in self.watch(RunProgress):
            if isinstance(event, RunProgress):
                yield event
