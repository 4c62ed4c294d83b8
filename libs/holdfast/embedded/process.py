"""A server as a child process that ends with us, however we end."""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from holdfast.kernel.errors import HoldfastError
from holdfast.telemetry.logs import Log

log = Log("embedded")


class ServerStartError(HoldfastError):
    """A server that Holdfast brings along did not start."""

    code = "server_start_failed"
    guidance = "Its log says why; 'holdfast doctor' says what is missing."


class Child:
    """One program, its output in a log file, in a session of its own.

    Of its own, so that a Ctrl-C in the terminal reaches only us and we stop the
    children in order.  The kernel ends it when we die (PR_SET_PDEATHSIG).
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        log_path: Path,
        *,
        death_signal: str = "KILL",
        prefix: Sequence[str] = (),
    ) -> None:
        self._argv = [*prefix, "setpriv", "--pdeathsig", death_signal, "--", *map(str, argv)]
        self._log_path = log_path
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it.  Raises ServerStartError when there is no such program."""
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        with self._log_path.open("ab") as output:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *self._argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
                )
            except OSError as error:
                raise ServerStartError(detail=str(error)) from error

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """Its process id; 0 when it was never started."""
        return self._process.pid if self._process is not None else 0

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        return await self._process.wait() if self._process is not None else 0

    async def stop(self, number: signal.Signals, seconds: float = 10.0) -> None:
        """Ask it to end; after *seconds* make it."""
        if self._process is None or not self.running:
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
        try:
            await asyncio.wait_for(self._process.wait(), seconds)
        except asyncio.TimeoutError:
            log.warning("server_killed", program=self._argv[-1], after_seconds=seconds)
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def failure(self, what: str) -> ServerStartError:
        """The error that says what the log's last lines are."""
        try:
            tail = self._log_path.read_text(encoding="utf-8", errors="replace")[-1500:]
        except OSError:
            tail = ""
        return ServerStartError(f"{what} did not start.", detail=tail.strip())


class Supervised:
    """A server that is started again when it ends by itself."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._keeper: asyncio.Task[None] | None = None
        self._child: Child | None = None

    async def launch(self) -> Child:
        """Start the server and return once it serves."""
        raise NotImplementedError

    async def end(self, child: Child) -> None:
        """Stop the server cleanly."""
        raise NotImplementedError

    async def start(self) -> None:
        """Start it, and keep it started."""
        self._child = await self.launch()
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Stop it for good."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        if self._child is not None:
            await self.end(self._child)

    async def _keep(self) -> None:
        while self._child is not None:
            code = await self._child.wait()
            log.error("server_ended", server=self._name, exit_code=code)
            try:
                self._child = await self.launch()
            except ServerStartError as error:
                log.error("server_restart_failed", server=self._name, error=error.detail[-500:])
                await asyncio.sleep(1)
