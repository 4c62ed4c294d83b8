"""Running services: connect, start, keep going, stop in order."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from holdfast.bus.answers import Answerer, AnswerTo
from holdfast.bus.subscribe import Subscriber, Subscription
from holdfast.kernel.pause import pause
from holdfast.runtime.service import Loop, Runtime, Service
from holdfast.telemetry.logs import Log, bound

Build = Callable[[Runtime], Awaitable[Service]]
log = Log("runtime")

RESTART_SECONDS = 2.0
STOP_SECONDS = 20.0
"""How long a loop gets to end; the executor needs some of it to end restic."""


class Host:
    """The services of one process."""

    def __init__(self, runtime: Runtime, nats_url: str, name: str) -> None:
        self.runtime = runtime
        self._subscriber = Subscriber(nats_url, name)
        self._answerer = Answerer(runtime.bus)
        self._services: list[Service] = []
        self._loops: list[asyncio.Task[None]] = []

    async def start(self, builds: Sequence[Build]) -> None:
        """Build every service, then let them hear, answer and run."""
        for build in builds:
            self._services.append(await build(self.runtime))
        await self._answerer.start(
            [
                AnswerTo(service=service.name, query_type=each.query_type, reply=each.reply)
                for service in self._services
                for each in service.answers
            ]
        )
        await self._subscriber.start(
            self.runtime.bus,
            [
                Subscription(
                    service=service.name,
                    event_type=each.event_type,
                    handle=each.handle,
                    only_new=each.only_new,
                )
                for service in self._services
                for each in service.hears
            ],
        )
        for service in self._services:
            for loop in service.runs:
                self._loops.append(asyncio.create_task(self._keep_running(service.name, loop)))
        self.runtime.ready.set()
        log.info("started", services=[service.name for service in self._services])

    async def stop(self) -> None:
        """Stop what makes new work first, then what serves it, then the connections."""
        self.runtime.stopping.set()
        self.runtime.ready.clear()
        if self._loops:
            _, late = await asyncio.wait(self._loops, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._subscriber.stop()
        await self._answerer.stop()
        for service in reversed(self._services):
            for close in service.closes:
                await close()
        log.info("stopped")

    async def _keep_running(self, service: str, loop: Loop) -> None:
        """A loop that raises, or ends too early, is started again after a while; the others
        go on."""
        stopping = self.runtime.stopping
        while not stopping.is_set():
            try:
                with bound(service=service):
                    await loop(stopping)
                if stopping.is_set():
                    return
                log.error("service_loop_ended", service=service)
            except Exception:
                log.exception("service_loop_failed", service=service)
            await pause(stopping, seconds=RESTART_SECONDS)
