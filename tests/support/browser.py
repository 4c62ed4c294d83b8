"""A real browser: Chromium without a window, spoken to in its own protocol."""

import asyncio
import itertools
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 90


class Browser:
    """One page, and what it asked of the network and complained about."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._session: str | None = None
        self._loaded = asyncio.Event()
        self.requests: list[str] = []
        self.complaints: list[str] = []

    async def begin(self) -> None:
        target = await self._do("Target.createTarget", url="about:blank")
        attached = await self._do(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            await self._do(f"{domain}.enable")

    async def open(self, url: str) -> None:
        """Go there, and wait until it has loaded."""
        self._loaded.clear()
        await self._do("Page.navigate", url=url)
        await asyncio.wait_for(self._loaded.wait(), SECONDS)

    async def run(self, script: str) -> Any:
        """What a script comes to in the page."""
        answer = await self._do(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def type(self, selector: str, text: str) -> None:
        """Replace what is in a field, by keyboard."""
        await self.run(f"document.querySelector({json.dumps(selector)}).select()")
        await self._do("Input.insertText", text=text)

    async def press(self, selector: str) -> None:
        await self.run(f"document.querySelector({json.dumps(selector)}).click()")

    async def until_text(self, selector: str, text: str) -> None:
        """Wait until an element has *text* in it."""
        async with asyncio.timeout(SECONDS):
            look = f"(document.querySelector({json.dumps(selector)}) || {{}}).textContent || ''"
            while text not in await self.run(look):
                await asyncio.sleep(0.02)

    async def html(self) -> str:
        return str(await self.run("document.documentElement.outerHTML"))

    async def listen(self) -> None:
        """Hear what the browser says, until it ends."""
        async for message in self._socket:
            said = json.loads(message.data)
            if "id" in said:
                self._waiting.pop(said["id"]).set_result(said)
            elif said["method"] == "Page.loadEventFired":
                self._loaded.set()
            elif said["method"] == "Network.requestWillBeSent":
                self.requests.append(said["params"]["request"]["url"])
            elif said["method"] == "Log.entryAdded":
                self.complaints.append(said["params"]["entry"]["text"])
            elif said["method"] == "Runtime.exceptionThrown":
                self.complaints.append(str(said["params"]))

    async def _do(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        await self._socket.send_json(message)
        answer = await asyncio.wait_for(self._waiting[number], SECONDS)
        assert "error" not in answer, answer
        return answer["result"]


@asynccontextmanager
async def opened_browser() -> AsyncIterator[Browser]:
    """A page of a browser of the test's own; the test is skipped where there is none."""
    binary = next(filter(None, map(shutil.which, NAMES)), None)
    if binary is None:
        pytest.skip("no browser here: apt-get install chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            *("setpriv", "--pdeathsig", "KILL", "--", binary, "--headless=new", "--no-sandbox"),
            *("--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0"),
            *("--no-first-run", f"--user-data-dir={profile}", "about:blank"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with (
                aiohttp.ClientSession() as http,
                http.ws_connect(await _address(process), max_msg_size=0) as socket,
            ):
                browser = Browser(socket)
                listening = asyncio.create_task(browser.listen())
                await browser.begin()
                yield browser
                listening.cancel()
        finally:
            process.kill()
            await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async with asyncio.timeout(SECONDS):
        async for line in process.stderr:
            if b"DevTools listening on " in line:
                return line.decode().strip().rpartition(" ")[2]
    raise AssertionError("the browser did not start")
