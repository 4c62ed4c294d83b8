"""Being told by Postgres: that a run has ended, or that an event waits to be published."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

import asyncpg

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
        with suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), seconds)
        self._event.clear()


class Waiter:
    """Who waits for which run."""

    def __init__(self) -> None:
        self._bells: dict[UUID, set[Ended]] = defaultdict(set)

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
            await _pause(stop, RECONNECT_SECONDS)
            continue
        try:
            for channel, call in on.items():
                await connection.add_listener(channel, _adapter(call))
            after_gap()
            while not stop.is_set() and not connection.is_closed():
                await _pause(stop, ALIVE_SECONDS)
                if not stop.is_set():
                    # A connection that died in silence is found by using it.
                    await connection.execute("select 1", timeout=5)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
            log.warning("listen_lost", error=str(error))
            await _pause(stop, RECONNECT_SECONDS)
        finally:
            connection.terminate()


def _adapter(call: Callable[[str], None]) -> Callable[[Any, int, str, object], None]:
    def on_notification(_connection: Any, _pid: int, _channel: str, payload: object) -> None:
        call(str(payload))

    return on_notification


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
