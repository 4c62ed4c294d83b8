"""What the scheduler hears: that a setting changed, so the timetable must be asked for anew."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from holdfast.events.base import Event
from holdfast.events.changes import ConfigurationChanged, DestinationChanged, PolicyChanged

CHANGES: tuple[type[Event], ...] = (PolicyChanged, ConfigurationChanged, DestinationChanged)


class Watches(Protocol):
    """What is needed of the bus."""

    def watch(self, event_type: type[Event]) -> AsyncIterator[Event]: ...


@dataclass(frozen=True)
class Deps:
    """What the handlers are given."""

    bus: Watches
    reload: Callable[[], None]
    """Have the timetable asked for again, soon."""


async def on_change(_: Event, deps: Deps) -> None:
    """A schedule may be another now; which one does not matter, they come all at once."""
    deps.reload()


async def watch_changes(stop: asyncio.Event, deps: Deps) -> None:
    """Hear of changes until *stop* is set.

    Not over a durable: that is shared among equals, and of two schedulers each must hear.
    What is missed while the connection is away is made up for by the regular reload.
    """
    watching = [asyncio.create_task(_watch(each, deps)) for each in CHANGES]
    stopping = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([stopping, *watching], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopping}:
            task.result()  # what broke it is raised, and the loop is started again
    finally:
        for task in (stopping, *watching):
            task.cancel()
        for task in (stopping, *watching):
            with suppress(asyncio.CancelledError, Exception):
                await task


async def _watch(event_type: type[Event], deps: Deps) -> None:
    async for event in deps.bus.watch(event_type):
        await on_change(event, deps)
