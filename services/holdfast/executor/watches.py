"""Ears at the engines of the devices that were asked: a new app is known in seconds.

What an engine says is only a reason to look again, so nothing is lost when an ear goes deaf:
each device is asked every minute in any case, and whoever asks it listens again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import UUID

from holdfast.devices.base import Runner
from holdfast.devices.engine import Engine, EngineRefusedError
from holdfast.events.base import Event
from holdfast.events.discovery import EngineChanged
from holdfast.events.work import DestinationSecrets, DeviceAddress
from holdfast.executor.engines import reached
from holdfast.kernel.clock import Now
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.ids import new_id
from holdfast.telemetry.logs import Log

log = Log("executor")

QUIET_SECONDS = 1.0
"""Compose makes containers one after the other: they are told of together."""

MOST_SECONDS = 15.0
"""So long at most, however busy the engine is."""

AGAIN_SECONDS = 1.0
"""After the bus did not take a word."""


@dataclass(frozen=True, kw_only=True)
class Where:
    """The engines of a device, and what opens it."""

    device: DeviceAddress | None
    """None: this machine."""
    secrets: DestinationSecrets | None
    sockets: tuple[str, ...]


class EngineWatches:
    """At most one for each device."""

    def __init__(
        self, publish: Callable[[Event], Awaitable[None]], now: Now, runner: Runner
    ) -> None:
        self._publish = publish
        self._now = now
        self._runner = runner
        self._watched: dict[UUID, tuple[Where, asyncio.Task[None]]] = {}

    def keep(self, device_id: UUID, where: Where) -> None:
        """Watch it, unless it is watched in just this way."""
        known = self._watched.get(device_id)
        if known is not None:
            if known[0] == where and not known[1].done():
                return
            known[1].cancel()
        self._watched[device_id] = (where, asyncio.create_task(self._watch(device_id, where)))

    async def run(self, stop: asyncio.Event) -> None:
        """At the stop all of them end."""
        try:
            await stop.wait()
        finally:
            tasks = [task for _, task in self._watched.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._watched.clear()

    async def _watch(self, device_id: UUID, where: Where) -> None:
        try:
            async with (
                reached(self._runner, where.device, where.secrets) as host,
                Ear([Engine(host.open, each) for each in where.sockets]) as ear,
            ):
                # What happened before we listened nobody told us.
                await self._say(device_id)
                while True:
                    await ear.heard()
                    await self._say(device_id)
        except HoldfastError as error:
            log.info("engine_watch_lost", device_id=str(device_id), error=str(error))

    async def _say(self, device_id: UUID) -> None:
        event = EngineChanged(event_id=new_id(), occurred_at=self._now(), device_id=device_id)
        while True:
            try:
                await self._publish(event)
                return
            except HoldfastError as error:
                if not error.retryable:
                    raise
                await asyncio.sleep(AGAIN_SECONDS)


class Ear:
    """Listens to some engines at once, within its block."""

    def __init__(self, engines: Sequence[Engine]) -> None:
        self._engines = engines
        self._news = asyncio.Event()
        self._pumps: list[asyncio.Task[None]] = []
        self._streams = AsyncExitStack()

    async def __aenter__(self) -> "Ear":
        async with AsyncExitStack() as opening:
            opening.push_async_callback(self._end_pumps)
            for each in self._engines:
                changes = await opening.enter_async_context(each.changes())
                self._pumps.append(asyncio.create_task(self._pump(changes)))
            self._streams = opening.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._streams.aclose()

    async def heard(self) -> None:
        """Something changed, and it has been quiet since.  Raises EngineRefusedError when one of
        the engines does not talk any more."""
        await self._next(None)
        clock = asyncio.get_running_loop()
        until = clock.time() + MOST_SECONDS
        while clock.time() < until and await self._next(QUIET_SECONDS):
            pass

    async def _next(self, seconds: float | None) -> bool:
        """Whether there was news within so many seconds."""
        waiting = asyncio.create_task(self._news.wait())
        try:
            done, _ = await asyncio.wait(
                (waiting, *self._pumps), timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            waiting.cancel()
        for each in done - {waiting}:
            each.result()
            raise EngineRefusedError("The container engine has ended.")
        self._news.clear()
        return bool(done)

    async def _pump(self, changes: AsyncIterator[None]) -> None:
        async for _ in changes:
            self._news.set()

    async def _end_pumps(self) -> None:
        for each in self._pumps:
            each.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
