"""A server as a child process that ends with us, however we end."""

import asyncio
import fcntl
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from holdfast.kernel.errors import HoldfastError
from holdfast.telemetry.logs import Log

log = Log("embedded")

LEFTOVER_SECONDS = 30.0
"""How long the processes of a killed predecessor may take to be gone."""

LOG_BYTES = 8 * 1024 * 1024
"""A log larger than this is put aside at the next start, in the place of the one before."""

# Asked for before the program starts, the death signal misses a parent that died a moment
# earlier.  So the shell looks who its parent is, and starts the program only for us.
UNLESS_ORPHANED = 'test "$PPID" = "$0" && exec "$@"'


class ServerStartError(HoldfastError):
    """A server that Holdfast brings along did not start."""

    code = "server_start_failed"
    guidance = "Its log says why; 'holdfast doctor' says what is missing."


class DirectoryLock:
    """Whether any process serves a directory, as the kernel knows it.

    The lock's file descriptor is handed to the server, which hands it on to its own
    children: it is free again when the last of them has ended.  A pid file cannot
    tell that: its number may belong to somebody else by now.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    async def take(self) -> int:
        """The descriptor to hand on.  Raises ServerStartError when others keep it too long."""
        self.release()
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            async with asyncio.timeout(LEFTOVER_SECONDS):
                while not _try_lock(descriptor):  # noqa: ASYNC110 - the kernel sets no Event
                    await asyncio.sleep(0.02)
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error, TimeoutError):
                raise ServerStartError(
                    f"Another server still uses {self._path.parent}.",
                    guidance="Stop it first, or name another directory with --data.",
                ) from None
            raise
        self._descriptor = descriptor
        return descriptor

    def release(self) -> None:
        """Close our own copy; the server's stays."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Child:
    """One program, its output in a log file, in a session of its own.

    Of its own, so that a Ctrl-C in the terminal reaches only us and we stop the
    children in order.  The kernel ends it when we die (PR_SET_PDEATHSIG): to be
    exact, when the thread that started it ends.
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        log_path: Path,
        *,
        death_signal: str = "KILL",
        prefix: Sequence[str] = (),
        keeps_open: Sequence[int] = (),
    ) -> None:
        self._program = Path(argv[0]).name
        guard = ["setpriv", "--pdeathsig", death_signal, "--", "sh", "-c", UNLESS_ORPHANED]
        self._argv = [*prefix, *guard, str(os.getpid()), *map(str, argv)]
        self._log_path = log_path
        self._keeps_open = tuple(keeps_open)
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it.  Raises ServerStartError when there is no such program."""
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        if self._log_path.exists() and self._log_path.stat().st_size > LOG_BYTES:
            self._log_path.replace(self._log_path.with_suffix(".log.1"))
        with self._log_path.open("ab") as output:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *self._argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    pass_fds=self._keeps_open,
                    cwd="/",
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
        except TimeoutError:
            log.warning("server_killed", program=self._program, after_seconds=seconds)
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


class Supervised(ABC):
    """A server that is started again when it ends by itself."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._keeper: asyncio.Task[None] | None = None
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        """The server's process id; 0 when there is none."""
        return self._child.pid if self._child is not None else 0

    @abstractmethod
    async def launch(self) -> Child:
        """Start the server and return once it serves; when that fails, leave nothing running."""

    @abstractmethod
    async def end(self, child: Child) -> None:
        """Stop the server cleanly."""

    async def start(self) -> None:
        """Start it, and keep it started.  Raises ServerStartError."""
        self._child = await self.launch()
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Stop it for good.  Does nothing when it was never started."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        if self._child is not None:
            child, self._child = self._child, None
            await self.end(child)

    async def _keep(self) -> None:
        while self._child is not None:
            code = await self._child.wait()
            log.error("server_ended", server=self._name, exit_code=code)
            try:
                self._child = await self.launch()
            except (ServerStartError, OSError) as error:
                # OSError: even its settings could not be written, for the disk is full, say.
                said = error.detail if isinstance(error, ServerStartError) else str(error)
                log.error("server_restart_failed", server=self._name, error=said[-500:])
                await asyncio.sleep(1)


async def kill_if_it_fails(child: Child, serves: asyncio.Future[None]) -> None:
    """Wait until it serves; when that fails or is cancelled, end the program first."""
    try:
        await serves
    except BaseException:
        await asyncio.shield(child.stop(signal.SIGKILL))
        raise
