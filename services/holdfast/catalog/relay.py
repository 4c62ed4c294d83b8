"""The outbox's relay: what is written there is published, in order, until it is acknowledged."""

import asyncio
from typing import Protocol

import asyncpg

from holdfast.catalog.domain.run import not_sent
from holdfast.catalog.ending import end_here
from holdfast.catalog.store import outbox, runs
from holdfast.catalog.store.outbox import Waiting
from holdfast.catalog.store.pool import Connection, transaction
from holdfast.events.base import Event
from holdfast.events.run import RunStatus
from holdfast.kernel.clock import Now, utc_now
from holdfast.kernel.errors import EventRefusedError, UnavailableError
from holdfast.kernel.pause import pause
from holdfast.telemetry.logs import Log
from holdfast.telemetry.metrics import EVENTS_SET_ASIDE

log = Log("catalog")

BATCH = 200
LOOK_SECONDS = 1.0
"""How long it sleeps when nobody wakes it: a wake that was lost costs this much."""


class Publishes(Protocol):
    """What is needed of the bus."""

    async def publish(self, event: Event) -> None: ...


class Relay:
    """Publishes what committed transactions left."""

    def __init__(
        self, pool: asyncpg.Pool, bus: Publishes, wake: asyncio.Event, now: Now = utc_now
    ) -> None:
        self._now = now
        self._pool = pool
        self._bus = bus
        self._wake = wake

    async def run(self, stop: asyncio.Event) -> None:
        """Until *stop*; with the bus or the database away it waits and tries again."""
        while not stop.is_set():
            self._wake.clear()
            try:
                published = await self.publish_batch()
            except UnavailableError as error:
                log.warning("relay_waits", error=str(error))
                published = 0
            if published < BATCH:
                await pause(self._wake, stop, seconds=LOOK_SECONDS)

    async def publish_batch(self) -> int:
        """Publish the oldest ones; how many went.

        A row goes only after the stream has acknowledged its event.  If we die between
        the two it is published again, and the stream drops it by its id.
        """
        fault: UnavailableError | None = None
        done: list[int] = []
        async with transaction(self._pool) as connection:
            for each in await outbox.take(connection, BATCH):
                try:
                    await self._bus.publish(each.event)
                except EventRefusedError as error:
                    await self._set_aside(connection, each, str(error))
                    continue
                except UnavailableError as error:
                    fault = error
                    break
                done.append(each.id)
            # Those that went before a fault went all the same.
            await outbox.done(connection, done)
        if fault is not None:
            raise fault
        return len(done)

    async def _set_aside(self, connection: Connection, each: Waiting, reason: str) -> None:
        """Take what can never be sent out of the others' way, and end the run whose work it is.

        A run of which no executor can ever hear would hold its place for ever.
        """
        now = self._now()
        log.error("event_set_aside", type=each.type, event_id=str(each.event_id), reason=reason)
        EVENTS_SET_ASIDE.labels(each.type).inc()
        await outbox.set_aside(connection, each.id, reason, now)
        if each.run_id is None:
            return
        await runs.lock_admission(connection)
        run = await runs.lock(connection, each.run_id)
        if run is None or run.work_type != each.type or run.claimed(now):
            return
        await end_here(connection, run.id, RunStatus.FAILED, not_sent(reason), now)
        await runs.admit_queued(connection, now)
        self._wake.set()
