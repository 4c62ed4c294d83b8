"""How far a run is: the newest word at most once a second, and the last one always."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Protocol
from uuid import UUID

from holdfast.events.base import Event
from holdfast.events.run import Operation, RunProgress
from holdfast.kernel.clock import Now
from holdfast.kernel.ids import new_id
from holdfast.restic.messages import Status
from holdfast.telemetry.logs import Log

log = Log("executor")

INTERVAL_SECONDS = 1.0


class Says(Protocol):
    """What is needed of the bus."""

    async def publish(self, event: Event) -> None: ...


class Progress:
    """Use as ``async with``.  ``tell`` returns at once; a word in between is dropped."""

    def __init__(
        self,
        bus: Says,
        now: Now,
        run_id: UUID,
        operation: Operation,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._bus = bus
        self._now = now
        self._run_id = run_id
        self._operation = operation
        self._sleep = sleep
        self._newest: RunProgress | None = None
        self._news = asyncio.Event()
        self._speaking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Progress":
        self._speaking = asyncio.create_task(self._speak())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._speaking is not None:
            self._speaking.cancel()
            await asyncio.gather(self._speaking, return_exceptions=True)
        await self._say()

    def tell(
        self,
        fraction: float,
        *,
        destination_id: UUID | None = None,
        files_done: int = 0,
        total_files: int = 0,
        bytes_done: int = 0,
        total_bytes: int = 0,
        current_file: str = "",
    ) -> None:
        """Note where the run is."""
        self._newest = RunProgress(
            event_id=new_id(),
            occurred_at=self._now(),
            run_id=self._run_id,
            operation=self._operation,
            destination_id=destination_id,
            fraction=min(1.0, max(0.0, fraction)),
            files_done=files_done,
            total_files=total_files,
            bytes_done=bytes_done,
            total_bytes=total_bytes,
            current_file=current_file,
        )
        self._news.set()

    def tell_restored(
        self, status: Status, destination_id: UUID, fraction: float | None = None
    ) -> None:
        """Note where a restore is, by restic's word; *fraction*: when it is only a part."""
        self.tell(
            status.percent_done if fraction is None else fraction,
            destination_id=destination_id,
            files_done=status.files_restored,
            total_files=status.total_files,
            bytes_done=status.bytes_restored,
            total_bytes=status.total_bytes,
        )

    async def _speak(self) -> None:
        while True:
            await self._news.wait()
            await self._say()
            await self._sleep(INTERVAL_SECONDS)

    async def _say(self) -> None:
        event, self._newest = self._newest, None
        self._news.clear()
        if event is None:
            return
        # Nobody is harmed by a word of progress that is lost.
        with suppress(Exception):
            async with asyncio.timeout(INTERVAL_SECONDS):
                await self._bus.publish(event)
