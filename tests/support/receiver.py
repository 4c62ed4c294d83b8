"""A real HTTP server that takes notifications, or does not."""

import asyncio
from dataclasses import dataclass

from aiohttp import web


@dataclass
class Delivery:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    """By name in lower case."""
    body: bytes


class Receiver:
    """Answers 204 unless ``answers`` holds other statuses; they are used up one by one."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.answers: list[int] = []
        self.hangs = False
        self.url = ""
        self._released = asyncio.Event()
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(application)

    async def start(self) -> None:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        self._released.set()
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        if self.hangs:
            await self._released.wait()
        body = await request.read()
        self.deliveries.append(
            Delivery(
                request.path, {name.lower(): value for name, value in request.headers.items()}, body
            )
        )
        status = self.answers.pop(0) if self.answers else 204
        headers = {"location": "/elsewhere"} if 300 <= status < 400 else {}
        return web.Response(status=status, headers=headers, text="" if status == 204 else "no room")
