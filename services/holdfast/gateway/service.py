"""Building the gateway, and serving it with uvicorn in the loop of the other services."""

import asyncio
import socket
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

import uvicorn
from litestar import Litestar

from holdfast.gateway.app import create_app
from holdfast.gateway.auth import TokenVerifier
from holdfast.gateway.catalog_client import CatalogClient
from holdfast.gateway.deps import Deps
from holdfast.gateway.event_stream import EventStream
from holdfast.gateway.openapi import openapi_json
from holdfast.kernel.errors import UnavailableError
from holdfast.runtime import Runtime, Service
from holdfast.settings.address import host_and_port
from holdfast.telemetry.logs import Log

log = Log("gateway")

GRACE_SECONDS = 3
"""Requests get this long to end; an event stream ends by itself when the process is to stop."""

BACKLOG = 2048


async def build(runtime: Runtime) -> Service:
    """Gateway: hears nothing, asks the catalog, serves people."""
    catalog = CatalogClient(runtime.bus, runtime.stopping, time.monotonic)
    deps = Deps(
        catalog=catalog,
        tokens=TokenVerifier(catalog, time.monotonic),
        events=EventStream(runtime.bus, runtime.stopping),
        has_started=runtime.ready.is_set,
        openapi=openapi_json,
    )
    gateway = Gateway(create_app(deps), runtime.settings.listen, runtime.listening)
    return Service(name="gateway", runs=[gateway.serve], closes=[gateway.close])


class Gateway:
    """An HTTP server; ``listening`` gets its address, as in ``http://127.0.0.1:8700``.

    The address is taken at once, so that one that is in use ends the start with a plain
    word instead of being tried again for ever.  Raises UnavailableError.
    """

    def __init__(self, app: Litestar, listen: str, listening: asyncio.Future[str]) -> None:
        self._app = app
        self._listen = listen
        self.listening = listening
        self._socket: socket.socket | None = open_socket(listen)

    async def serve(self, stopping: asyncio.Event) -> None:
        """Serve until *stopping* is set, then end what is open within seconds."""
        listener = self._socket or open_socket(self._listen)
        self._socket = None
        server = _Server(_config(self._app), lambda: self._announce(url_of(listener)))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        stop = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait({serving, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            server.should_exit = True
            await serving

    async def close(self) -> None:
        """Give the address back if it was never served."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _announce(self, url: str) -> None:
        log.info("listening", url=url)
        if not self.listening.done():
            self.listening.set_result(url)


class _Server(uvicorn.Server):
    """uvicorn's server that leaves signals to the process and says when it is up."""

    def __init__(self, config: uvicorn.Config, on_up: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_up = on_up

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_up()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def _config(app: Litestar) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def open_socket(listen: str) -> socket.socket:
    """Listen at HOST:PORT, port 0 for a free one.  Raises InvalidRequestError, UnavailableError."""
    host, port = host_and_port(listen)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise UnavailableError(
            f"Nothing can be served at {listen}: {error.strerror or error}.",
            guidance="Another process may have it; --listen or HOLDFAST_LISTEN names another.",
        ) from error
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket) -> str:
    """Where a browser of this machine finds it."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
