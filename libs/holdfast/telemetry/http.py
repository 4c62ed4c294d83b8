"""/health, /ready and /metrics for a process that has no gateway."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from holdfast.settings.address import host_and_port
from holdfast.telemetry.metrics import metrics_text

Ready = Callable[[], bool]


def health_site(is_ready: Ready) -> Callable[[Any, Any, Any], Awaitable[None]]:
    """A tiny ASGI application with the three paths."""

    async def site(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001 - ASGI's signature
        if scope["type"] != "http":
            return
        status, body = 404, b"not found\n"
        match scope["path"]:
            case "/health":
                status, body = 200, b"ok\n"
            case "/ready":
                status, body = (200, b"ready\n") if is_ready() else (503, b"not ready\n")
            case "/metrics":
                status, body = 200, metrics_text()
        headers = [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return site


async def serve_health(listen: str, is_ready: Ready, stopping: asyncio.Event) -> None:
    """Serve them at HOST:PORT until *stopping* is set.  Raises InvalidRequestError."""
    import uvicorn  # a process without this address need not load it

    host, port = host_and_port(listen)
    server = uvicorn.Server(
        uvicorn.Config(
            health_site(is_ready),
            host=host,
            port=port,
            log_config=None,
            lifespan="off",
            access_log=False,
        )
    )
    serving = asyncio.create_task(server._serve())  # noqa: SLF001 - serve() would take our signals
    await stopping.wait()
    server.should_exit = True
    await serving
