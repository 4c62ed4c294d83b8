"""What nobody asks for: what is due by now is queued, and silent runs are woken or ended."""

import asyncio
from datetime import timedelta

from holdfast.catalog import discovering, protecting
from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.run import EXECUTORS_DIED, MOST_DEATHS, WINDOW_OVER
from holdfast.catalog.ending import end_here
from holdfast.catalog.store import outbox, runs
from holdfast.catalog.store.pool import reading, transaction
from holdfast.events.run import RunStatus
from holdfast.kernel.errors import UnavailableError
from holdfast.kernel.ids import new_id
from holdfast.kernel.pause import pause
from holdfast.telemetry.logs import Log

log = Log("catalog")

LOOK_SECONDS = 1.0
SILENCE = timedelta(seconds=30)
"""After a claim has run out, or an admission was not claimed, for so long, the work is
put on the queue again: its message may be lost.  The queue keeps one a run, so that this
does no harm when the message is there."""

SWEEP_SECONDS = 10.0


def found_within(claim_seconds: float) -> float:
    """Seconds from the death of an executor until its run is on the queue for another one, even
    if its message is lost: the claim runs out, silence, the next sweep, the next relay."""
    return claim_seconds + SILENCE.total_seconds() + SWEEP_SECONDS + 2 * LOOK_SECONDS


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
            await pause(stop, seconds=LOOK_SECONDS)

    async def step(self) -> None:
        """Admit what may start by now, and wake what sleeps too long.

        Nothing is woken soon after a start or an outage: nobody could keep a claim then, and
        the word on a run's end may wait in the stream, to be heard before it is done again.
        """
        now = self._deps.now()
        try:
            async with transaction(self._deps.pool) as connection:
                due = await runs.next_not_before(connection)
                wanted = (due is not None and due <= now) or await runs.is_crowded(connection)
                if wanted and await runs.admit_queued(connection, now):
                    self._deps.wake.set()
            await self._end_expired()
            await protecting.queue_due(self._deps)
            await discovering.queue_due(self._deps)
            if now >= self._sweep_at:
                self._sweep_at = now + timedelta(seconds=SWEEP_SECONDS)
                await self.sweep()
        except UnavailableError:
            self._sweep_at = now + SILENCE
            raise

    async def _end_expired(self) -> None:
        """A run that waited past the end of its window has failed: it is not started."""
        now = self._deps.now()
        async with reading(self._deps.pool) as connection:
            if not await runs.expired(connection, now):
                return
        async with transaction(self._deps.pool) as connection:
            await runs.lock_admission(connection)
            for run_id in await runs.expired(connection, now):
                await end_here(connection, run_id, RunStatus.FAILED, WINDOW_OVER, now)
            await runs.admit_queued(connection, now)
        self._deps.wake.set()

    async def sweep(self) -> None:
        """End what no executor survives, and queue the work of other silent runs again."""
        now = self._deps.now()
        async with transaction(self._deps.pool) as connection:
            await runs.lock_admission(connection)
            hopeless = await runs.dead_too_often(connection, now, MOST_DEATHS)
            for run_id in hopeless:
                log.error("executors_died", run_id=str(run_id), times=MOST_DEATHS)
                await end_here(connection, run_id, RunStatus.FAILED, EXECUTORS_DIED, now)
            if hopeless:
                await runs.admit_queued(connection, now)
                self._deps.wake.set()
            for run in await runs.silent(connection, now - SILENCE):
                log.warning("silent_run", run_id=str(run.id), claim=run.claim)
                waits = f"Waits for an executor of site {run.work['site']!r}."
                await runs.tell_waiting(connection, run.id, waits)
                # A new id: the old one would be dropped as a repeat.
                await outbox.add_work(connection, run.work_type, run.work, new_id())
                self._deps.wake.set()
