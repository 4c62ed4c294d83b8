"""Connecting to NATS, with the settings that keep a process alive through an outage."""

from collections.abc import Awaitable, Callable
from typing import Any

import nats
from nats.aio.client import Client

from holdfast.telemetry.logs import Log
from holdfast.telemetry.metrics import BUS_CONNECTED

log = Log("bus")


def connection_options(name: str) -> dict[str, Any]:
    """Options for nats-py, and for FastStream, which passes them on.

    It tries for ever: after nats-py's default of sixty tries FastStream's loop
    would spin without yielding.  And errors are one line each, not a traceback.
    """

    async def on_error(error: Exception) -> None:
        log.warning("bus_error", error=str(error) or type(error).__name__)

    async def on_disconnect() -> None:
        BUS_CONNECTED.set(0)

    async def on_reconnect() -> None:
        BUS_CONNECTED.set(1)
        log.info("bus_reconnected")

    callbacks: dict[str, Callable[..., Awaitable[None]]] = {
        "error_cb": on_error,
        "disconnected_cb": on_disconnect,
        "reconnected_cb": on_reconnect,
    }
    return {
        "name": name,
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": 0.5,
        "ping_interval": 10,
        "max_outstanding_pings": 3,
        **callbacks,
    }


async def connect(url: str, name: str) -> Client:
    """A connection that comes back by itself."""
    client = await nats.connect(url, **connection_options(name))
    BUS_CONNECTED.set(1)
    return client
