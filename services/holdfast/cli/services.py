"""The services by name, and running some of them in this process."""

import asyncio
import importlib
import signal
from collections.abc import Callable, Sequence
from typing import Any, cast

from holdfast.bus import Bus
from holdfast.kernel.errors import InvalidRequestError
from holdfast.runtime import Runtime
from holdfast.runtime.host import Build, Host
from holdfast.settings import Settings
from holdfast.telemetry.http import serve_health

# The catalog first: the others ask it questions as soon as they start.
NAMES = ("catalog", "executor", "retention", "notifier", "scheduler", "gateway")


def builds(names: Sequence[str]) -> list[Build]:
    """The ``build`` of each named service, ``all`` being every one.

    A service is imported by name, so that one whose packages are not installed
    is never touched.  Raises InvalidRequestError.
    """
    wanted = NAMES if "all" in names else names
    for name in wanted:
        if name not in NAMES:
            raise InvalidRequestError(
                f"There is no service {name!r}; there are {', '.join(NAMES)}."
            )
    ordered = [name for name in NAMES if name in wanted]
    return [
        cast(Build, importlib.import_module(f"holdfast.{name}.service").build) for name in ordered
    ]


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT set *stop*; a second one changes nothing, for what runs must be ended."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


async def run_services(
    names: Sequence[str],
    settings: Settings,
    stop: asyncio.Event,
    on_ready: Callable[[str], None],
) -> None:
    """Run services against the servers that *settings* name, until *stop* is set.

    *on_ready* gets the gateway's address once everything serves, or "" when the
    gateway is not among them.
    """
    chosen = builds(names)
    name = "holdfast" if len(chosen) == len(NAMES) else "-".join(sorted(names))
    bus = await _connected(settings.nats_url, name, stop)
    if bus is None:
        return
    runtime = Runtime(settings=settings, bus=bus)
    host = Host(runtime, settings.nats_url, name)
    waiting = asyncio.create_task(stop.wait())
    health: asyncio.Task[None] | None = None
    try:
        await host.start(chosen)
        if settings.health_listen:
            health = asyncio.create_task(
                serve_health(settings.health_listen, runtime.ready.is_set, runtime.stopping)
            )
        if "gateway" in names or "all" in names:
            first: list[asyncio.Future[Any]] = [waiting, runtime.listening]
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if runtime.listening.done():
                on_ready(runtime.listening.result())
        else:
            on_ready("")
        await waiting
    finally:
        waiting.cancel()
        await host.stop()
        if health is not None:
            await health
        await runtime.bus.close()


async def _connected(url: str, name: str, stop: asyncio.Event) -> Bus | None:
    """The bus, however long its server takes to come; None when *stop* was first."""
    opening = asyncio.create_task(Bus.open(url, name))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((opening, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if opening.done():
        return opening.result()
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    return None
