"""The bus as Server-Sent Events: facts with their place in the stream, progress without.

A client that comes back with ``Last-Event-ID`` gets every fact after that one, then
what is new.  Progress is only for those who listen at the time.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing
from typing import Any, Protocol, cast

import msgspec

from holdfast.events.base import AwareTime, Event
from holdfast.events.run import RunProgress
from holdfast.kernel.errors import UnavailableError
from holdfast.telemetry.logs import Log

log = Log("gateway")

KEEP_ALIVE_SECONDS = 15.0
RESUME_SECONDS = 1.0
"""After the bus broke off, try again after this long."""

LOOK_SECONDS = 0.2
"""How often to look whether the bus is still connected."""

RECONNECT_MILLISECONDS = 2000
"""What a client is told to wait before it comes back."""

BUFFERED_FRAMES = 256
"""For a slow client facts wait in the stream, progress is dropped."""


class Watches(Protocol):
    """What is needed of the bus."""

    @property
    def connected(self) -> bool: ...

    @property
    def reconnects(self) -> int: ...

    async def last_fact(self) -> int: ...

    def facts(self, after_sequence: int | None) -> AsyncIterator[tuple[int, Event]]: ...

    def progress(self) -> AsyncIterator[RunProgress]: ...


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """CloudEvents 1.0, structured JSON form."""

    specversion: str = "1.0"
    id: str
    source: str = "/holdfast"
    type: str
    time: AwareTime
    datacontenttype: str = "application/json"
    data: Event


def frame(event: Event, sequence: int | None = None) -> bytes:
    """One event as it goes over the wire; JSON has no line feeds, so ``data`` is one line."""
    body = msgspec.json.encode(
        CloudEvent(id=str(event.event_id), type=event.TYPE, time=event.occurred_at, data=event)
    )
    place = b"" if sequence is None else b"id: %d\n" % sequence
    return b"%bevent: %b\ndata: %b\n\n" % (place, event.TYPE.encode(), body)


class _Place:
    """How far one client's stream has come."""

    def __init__(self, after: int) -> None:
        self.after = after


class EventStream:
    """Gives each client its own view of the bus."""

    def __init__(
        self,
        bus: Watches,
        stopping: asyncio.Event,
        keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
    ) -> None:
        self._bus = bus
        self._stopping = stopping
        self._keep_alive_seconds = keep_alive_seconds
        self._pumps: set[asyncio.Task[None]] = set()

    async def open(self, after: int | None, types: frozenset[str]) -> AsyncGenerator[bytes, None]:
        """Frames until the client goes or this process ends; no *types* means all.

        Who names no place gets what is said from now on.  That is a place, too: without it,
        what is said while the bus breaks off would be missed until a first fact had come.

        Raises UnavailableError at once when the bus is away.
        """
        if not self._bus.connected:
            raise UnavailableError("The bus is not connected.")
        return self._frames(await self._bus.last_fact() if after is None else after, types)

    async def _frames(self, after: int, types: frozenset[str]) -> AsyncGenerator[bytes, None]:
        queue: asyncio.Queue[bytes] = asyncio.Queue(BUFFERED_FRAMES)
        pumps = [self._start(self._pump_facts(queue, after, types))]
        if not types or RunProgress.TYPE in types:
            pumps.append(self._start(self._pump_progress(queue)))
        stopping = asyncio.ensure_future(self._stopping.wait())
        getting: asyncio.Task[bytes] | None = None
        try:
            yield b"retry: %d\n: connected\n\n" % RECONNECT_MILLISECONDS
            while not self._stopping.is_set():
                getting = getting or asyncio.create_task(queue.get())
                await asyncio.wait(
                    {getting, stopping},
                    timeout=self._keep_alive_seconds,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if getting.done():
                    piece, getting = getting.result(), None
                    yield piece
                elif not stopping.done():
                    yield b": keep-alive\n\n"
        finally:
            # Nothing is awaited here: the client's going has cancelled this very task,
            # and the pumps, which are tasks of their own, clean up after themselves.
            for task in (*pumps, stopping, *([getting] if getting else [])):
                task.cancel()

    def _start(self, pump: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(pump)
        self._pumps.add(task)
        task.add_done_callback(self._pumps.discard)
        return task

    async def _pump_facts(
        self, queue: asyncio.Queue[bytes], after: int, types: frozenset[str]
    ) -> None:
        """Facts in order; after the bus broke off, on from the last one.

        nats-py notices only after twenty seconds that the server has lost its consumer in
        a restart, so each lost connection ends the reading.
        """
        place = _Place(after)
        while True:
            reading = self._start(self._read_facts(queue, place, types))
            broken = self._start(self._until_broken())
            try:
                await asyncio.wait({reading, broken}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                reading.cancel()
                broken.cancel()
            await asyncio.sleep(RESUME_SECONDS)
            while not self._bus.connected:  # noqa: ASYNC110 - the bus has no event for it
                await asyncio.sleep(LOOK_SECONDS)

    async def _read_facts(
        self, queue: asyncio.Queue[bytes], place: "_Place", types: frozenset[str]
    ) -> None:
        try:
            watch = cast(AsyncGenerator[tuple[int, Event], None], self._bus.facts(place.after))
            async with aclosing(watch) as facts:
                async for sequence, event in facts:
                    if not types or event.TYPE in types:
                        await queue.put(frame(event, sequence))
                    place.after = sequence
        except Exception as error:  # noqa: BLE001 - whatever broke, the client keeps its place
            log.warning("event_stream_interrupted", error=f"{type(error).__name__}: {error}")

    async def _until_broken(self) -> None:
        before = self._bus.reconnects
        while self._bus.connected and self._bus.reconnects == before:  # noqa: ASYNC110 - as above
            await asyncio.sleep(LOOK_SECONDS)

    async def _pump_progress(self, queue: asyncio.Queue[bytes]) -> None:
        """Progress as it comes; what a slow client cannot take is dropped."""
        while True:
            try:
                watch = cast(AsyncGenerator[RunProgress, None], self._bus.progress())
                async with aclosing(watch) as progress:
                    async for event in progress:
                        if not queue.full():
                            queue.put_nowait(frame(event))
            except Exception as error:  # noqa: BLE001 - a lost picture of progress does no harm
                log.warning("progress_interrupted", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(RESUME_SECONDS)
