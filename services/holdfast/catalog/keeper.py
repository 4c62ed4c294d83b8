"""What nobody asks for: retries whose time has come, and runs that have gone silent."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import msgspec

from holdfast.catalog.deps import Deps
from holdfast.catalog.store import outbox, runs
from holdfast.catalog.store.pool import transaction
from holdfast.kernel.errors import UnavailableError
from holdfast.kernel.ids import new_id
from holdfast.telemetry.logs import Log

log = Log("catalog")

LOOK_SECONDS = 1.0
SILENCE = timedelta(seconds=30)
"""After a claim has run out, or an admission was not claimed, for so long, the work is
put on the queue again: its message may be lost.  The queue keeps one a run, so that this
does no harm when the message is there."""

SWEEP_SECONDS = 10.0


class Keeper:
    """Looks every second, cheaply."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._sweep_at = deps.now() + SILENCE

    async def run(self, stop: asyncio.Event) -> None:
        """Until *stop*."""
        while not stop.is_set():
            try:
                await self.step()
            except UnavailableError as error:
                log.warning("keeper_waits", error=str(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_SECONDS)

    async def step(self) -> None:
        """Admit what may start by now, and wake what sleeps too long.

        Nothing is woken soon after a start or an outage: nobody could keep a claim then, and
        the word on a run's end may wait in the stream, to be heard before it is done again.
        """
        now = self._deps.now()
        try:
            async with transaction(self._deps.pool) as connection:
                due = await runs.next_not_before(connection)
                if due is not None and due <= now and await runs.admit_queued(connection, now):
                    self._deps.wake.set()
            if now >= self._sweep_at:
                self._sweep_at = now + timedelta(seconds=SWEEP_SECONDS)
                await self.sweep()
        except UnavailableError:
            self._sweep_at = now + SILENCE
            raise

    async def sweep(self) -> None:
        """Queue the work of silent runs again."""
        now = self._deps.now()
        async with transaction(self._deps.pool) as connection:
            for run in await runs.silent(connection, now - SILENCE):
                log.warning("silent_run", run_id=str(run.id), claim=run.claim)
                # A new id: the old one would be dropped as a repeat.
                await outbox.add(connection, msgspec.structs.replace(run.event, event_id=new_id()))
                self._deps.wake.set()
