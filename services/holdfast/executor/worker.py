"""The pull loop: take a slot, then one message, and let a task of its own do it."""

import asyncio

from holdfast.events.run import RunCancelRequested
from holdfast.executor.attempt import Deps
from holdfast.executor.job import LEAVING_SECONDS, Again, Desk, Job, handle, settle
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.pause import pause
from holdfast.telemetry.logs import Log

log = Log("executor")

WAIT_SECONDS = 2.0
"""How long one request for a message waits at the server; also how late a stop is seen."""

AGAIN_SECONDS = 1.0
"""After the bus did not answer."""


class Worker:
    """At most ``deps.slots`` runs at once.

    A message is asked for only when a slot is free: one that is fetched ahead waits where
    nobody else can take it.
    """

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._desk = Desk()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until *stop*; then end what runs, so that the next start takes it up."""
        # A new one each time: the former has told its runs to leave, and tells it to all
        # that come.
        self._desk = Desk()
        slots = asyncio.Semaphore(self._deps.slots)
        leaving = asyncio.create_task(self._leave_on(stop))
        try:
            while not stop.is_set():
                if not await _acquire(slots, stop):
                    break
                job = await self._next(stop)
                if job is None:
                    slots.release()
                    continue
                if stop.is_set():
                    await settle(job, Again(LEAVING_SECONDS))
                    break
                task = asyncio.create_task(handle(job, self._deps, self._desk))
                self._tasks.add(task)
                task.add_done_callback(lambda done: self._ended(done, slots))
        finally:
            leaving.cancel()
            self._desk.leave()
            await self._finish()

    async def hear_cancels(self, stop: asyncio.Event) -> None:
        """Have a run ask at once when somebody wants it to stop, instead of at its next
        heartbeat.  The catalog's answer decides, not the message."""
        while not stop.is_set():
            listening = asyncio.create_task(self._listen())
            waiting = asyncio.create_task(stop.wait())
            await asyncio.wait((listening, waiting), return_when=asyncio.FIRST_COMPLETED)
            for task in (listening, waiting):
                task.cancel()
            results = await asyncio.gather(listening, waiting, return_exceptions=True)
            if not stop.is_set():
                log.warning("cancel_ear_lost", error=repr(results[0]))
                await pause(stop, seconds=AGAIN_SECONDS)

    async def _listen(self) -> None:
        async for event in self._deps.bus.watch(RunCancelRequested):
            self._desk.look(event.run_id)

    async def _leave_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._desk.leave()

    async def _next(self, stop: asyncio.Event) -> Job | None:
        try:
            job: Job | None = await self._deps.bus.next_job(self._deps.site, WAIT_SECONDS)
        except HoldfastError as error:
            log.warning("work_unreachable", error=str(error), detail=error.detail)
            await pause(stop, seconds=AGAIN_SECONDS)
            return None
        return job

    def _ended(self, task: asyncio.Task[None], slots: asyncio.Semaphore) -> None:
        self._tasks.discard(task)
        slots.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("job_crashed", error=f"{type(error).__name__}: {error}")

    async def _finish(self) -> None:
        """Wait for what was told to stop.  When we are cut short, restic is not left behind."""
        if not self._tasks:
            return
        try:
            await asyncio.wait(self._tasks)
        except asyncio.CancelledError:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            raise


async def _acquire(slots: asyncio.Semaphore, stop: asyncio.Event) -> bool:
    """Wait for a slot; False when the stop came first."""
    acquiring = asyncio.create_task(slots.acquire())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((acquiring, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not acquiring.done():
        acquiring.cancel()
    return not stop.is_set()
