"""Lists of files that no snapshot needs any more are dropped, once a day."""

import asyncio
from datetime import timedelta

from holdfast.catalog.deps import Deps
from holdfast.catalog.store import files
from holdfast.catalog.store.pool import transaction
from holdfast.kernel.errors import UnavailableError
from holdfast.kernel.pause import pause
from holdfast.telemetry.logs import Log

log = Log("catalog")

EVERY = timedelta(days=1)
SPARED = timedelta(days=1)
"""What was touched in this time may be of a list that is being told."""


class Sweeper:
    """Beside the keeper, which must not wait for it: of millions of folders it takes minutes."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def run(self, stop: asyncio.Event) -> None:
        """Until *stop*; not right after a start, when all else is to be caught up with."""
        await pause(stop, seconds=EVERY.total_seconds() / 24)
        while not stop.is_set():
            try:
                await self.sweep()
            except UnavailableError as error:
                log.warning("sweep_waits", error=str(error))
            await pause(stop, seconds=EVERY.total_seconds())

    async def sweep(self) -> None:
        """What is dropped is of no snapshot, so that it makes no difference when."""
        async with transaction(self._deps.pool) as connection:
            await files.sweep(connection, self._deps.now() - SPARED)
