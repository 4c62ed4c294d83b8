"""Waiting: for Postgres to tell of a run's end or of an event, and for what is still to come."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from holdfast.kernel.pause import pause
from holdfast.telemetry.logs import Log

log = Log("catalog")

RECONNECT_SECONDS = 1.0
ALIVE_SECONDS = 10.0


class Ended:
    """One waiter's bell."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Until it rings or the time is up; a bell that rang before is heard at once."""
        await pause(self._event, seconds=seconds)
        self._event.clear()


class Waiter:
    """Who waits for which run."""

    def __init__(self) -> None:
        self._bells: dict[UUID, set[Ended]] = defaultdict(set)
        self._overtaken: dict[UUID, datetime] = {}

    @contextmanager
    def watch(self, run_id: UUID) -> Iterator[Ended]:
        """A bell that rings when the run has ended, and now and then for nothing."""
        bell = Ended()
        self._bells[run_id].add(bell)
        try:
            yield bell
        finally:
            self._bells[run_id].discard(bell)
            if not self._bells[run_id]:
                del self._bells[run_id]

    def ended(self, payload: str) -> None:
        """Ring for the run whose id is the payload."""
        for bell in tuple(self._bells.get(UUID(payload), ())):
            bell.ring()

    def overtaken_for(self, run_id: UUID, now: datetime) -> timedelta:
        """How long ago this process first heard a run's end before the word on its snapshots."""
        return now - self._overtaken.setdefault(run_id, now)

    def settled(self, run_id: UUID) -> None:
        """There is nothing more to come of this run."""
        self._overtaken.pop(run_id, None)

    def look_again(self) -> None:
        """Ring for everybody: something may have been missed."""
        for bells in tuple(self._bells.values()):
            for bell in tuple(bells):
                bell.ring()


async def listen(
    dsn: str,
    on: Mapping[str, Callable[[str], None]],
    after_gap: Callable[[], None],
    stop: asyncio.Event,
) -> None:
    """Call *on[channel]* for each notification, until *stop*.

    It has a connection of its own, for one from the pool would lose its listeners.
    After a lost connection *after_gap* is called: what came meanwhile was missed.
    """
    while not stop.is_set():
        try:
            connection = await asyncpg.connect(dsn)
        except (OSError, asyncpg.PostgresError) as error:
            log.warning("listen_failed", error=str(error))
            await pause(stop, seconds=RECONNECT_SECONDS)
            continue
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _, lost=lost: lost.set())
        try:
            for channel, call in on.items():
                await connection.add_listener(channel, _adapter(call))
            after_gap()
            while not (stop.is_set() or connection.is_closed()):
                await pause(stop, lost, seconds=ALIVE_SECONDS)
                if not stop.is_set():
                    # A connection that died in silence is found by using it.
                    await connection.execute("select 1", timeout=5)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
            log.warning("listen_lost", error=str(error))
            await pause(stop, seconds=RECONNECT_SECONDS)
        finally:
            connection.terminate()


def _adapter(call: Callable[[str], None]) -> Callable[[Any, int, str, object], None]:
    def on_notification(_connection: Any, _pid: int, _channel: str, payload: object) -> None:
        call(str(payload))

    return on_notification
