"""The scheduler: hears that settings changed, says what is due."""

import asyncio
import time

from holdfast.runtime import Runtime, Service
from holdfast.scheduler.handlers import Deps, watch_changes
from holdfast.scheduler.ticker import Ticker


async def build(runtime: Runtime) -> Service:
    """Two loops: the ticker, and the ear that has it reload."""
    ticker = Ticker(runtime.bus, runtime.now, time.monotonic)
    deps = Deps(bus=runtime.bus, reload=ticker.reload)

    async def listen(stop: asyncio.Event) -> None:
        await watch_changes(stop, deps)

    return Service(name="scheduler", runs=[ticker.run, listen])
