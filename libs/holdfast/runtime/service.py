"""A service, as its ``build`` describes it: what it hears, answers and runs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from holdfast.bus import Bus
from holdfast.events.base import Event
from holdfast.events.queries import Query
from holdfast.kernel.clock import Now, utc_now
from holdfast.settings import Settings

E = TypeVar("E", bound=Event)
Q = TypeVar("Q", bound=Query[Any])
D = TypeVar("D")

Loop = Callable[[asyncio.Event], Awaitable[None]]
"""Works until the event is set, then returns soon.  If it raises, it is started again."""


@dataclass(frozen=True)
class Hear:
    """An event type and what to do with it."""

    event_type: type[Event]
    handle: Callable[[Any], Awaitable[None]]
    only_new: bool = False


@dataclass(frozen=True)
class Answer:
    """A query type and how to answer it."""

    query_type: type[Query[Any]]
    reply: Callable[[Any], Awaitable[Any]]


def hear(
    event_type: type[E],
    handler: Callable[[E, D], Awaitable[None]],
    deps: D,
    *,
    only_new: bool = False,
) -> Hear:
    """Call *handler* for each event of a type; it may be called twice with the same one.

    With *only_new*, what was said before the service's very first start is not heard.
    """

    async def handle(event: E) -> None:
        await handler(event, deps)

    return Hear(event_type, handle, only_new)


def answer(query_type: type[Q], handler: Callable[[Q, D], Awaitable[Any]], deps: D) -> Answer:
    """Answer each question of a type with what *handler* returns, or the error it raises."""

    async def reply(query: Q) -> Any:
        return await handler(query, deps)

    return Answer(query_type, reply)


@dataclass(frozen=True)
class Service:
    """What one service is made of."""

    name: str
    hears: Sequence[Hear] = ()
    answers: Sequence[Answer] = ()
    runs: Sequence[Loop] = ()
    closes: Sequence[Callable[[], Awaitable[None]]] = ()


@dataclass
class Runtime:
    """What every ``build`` gets."""

    settings: Settings
    bus: Bus
    now: Now = utc_now
    listening: asyncio.Future[str] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    """The gateway's address, once it serves."""
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when every service of the process has started."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process is to end."""
