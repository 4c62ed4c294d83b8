"""Programs on this machine."""

import asyncio
import contextlib
import fcntl
import os
import select
import shutil
import signal
import subprocess
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from functools import cache
from pathlib import Path

from holdfast.devices.base import (
    GRACE,
    RUN_MARKER,
    LeftoverError,
    Process,
    Program,
    ProgramNotFoundError,
)
from holdfast.kernel.secret import Secret

CHUNK = 64 * 1024

INHERITED = ("HOME", "PATH", "TMPDIR", "XDG_CACHE_HOME", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""All that a child sees of our environment: credentials of the machine must not decide."""


class LocalRunner:
    """Runs programs as children of this process.

    A child has a session of its own, so Ctrl-C in a terminal reaches only us and we end
    the child in order.  It gets SIGTERM from the kernel when the thread that started it
    dies, so even ``kill -9`` leaves none behind (where util-linux's setpriv is installed).
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environment = {name: environ[name] for name in INHERITED if name in environ}

    @contextlib.asynccontextmanager
    async def start(self, program: Program) -> AsyncIterator[Process]:
        """See ``Runner.start``."""
        environment = {**self._environment, **program.environment}
        if program.run_id:
            environment[RUN_MARKER] = program.run_id
        argv = [_find(program.argv[0], environment), *program.argv[1:]]

        with _descriptors(program.secrets) as descriptors:
            for name, descriptor in descriptors.items():
                environment[name] = f"/proc/self/fd/{descriptor}"
            child = await asyncio.create_subprocess_exec(
                *_die_with_us(),
                *argv,
                stdin=PIPE if program.stdin else DEVNULL,
                stdout=PIPE,
                stderr=PIPE,
                cwd=program.cwd,
                env=environment,
                pass_fds=tuple(descriptors.values()),
                start_new_session=True,
            )
        process = LocalProcess(child)
        feeding = asyncio.create_task(_feed(child, program.stdin))
        try:
            yield process
        finally:
            await _to_the_end(process.close())
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)


class LocalProcess:
    """A child of this process.  See ``Process``."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child

    @property
    def pid(self) -> int:
        return self._child.pid

    def lines(self) -> AsyncIterator[bytes]:
        """See ``Process.lines``."""
        return split_lines(self.chunks())

    def chunks(self) -> AsyncIterator[bytes]:
        """See ``Process.chunks``."""
        return _chunks(self._child.stdout)

    def error_lines(self) -> AsyncIterator[bytes]:
        """See ``Process.error_lines``."""
        return split_lines(_chunks(self._child.stderr))

    async def wait(self) -> int:
        """See ``Process.wait``."""
        return await self._child.wait()

    async def terminate(self, grace: float = GRACE) -> int:
        """SIGTERM, after *grace* seconds SIGKILL, also to the programs it started itself."""
        if self._child.returncode is not None:
            return self._child.returncode
        with contextlib.suppress(ProcessLookupError):
            self._child.terminate()
        # A program that writes into a full pipe would not get to its own cleaning up.
        streams = (self._child.stdout, self._child.stderr)
        draining = [asyncio.create_task(_drain(stream)) for stream in streams]
        try:
            async with asyncio.timeout(grace):
                await self._exited()
        except TimeoutError:
            self._kill_group()
            await self._exited()
        self._kill_group()
        for task in draining:
            task.cancel()
        await asyncio.gather(*draining, return_exceptions=True)
        assert self._child.returncode is not None
        return self._child.returncode

    async def close(self) -> None:
        """End what still runs and let go of the pipes."""
        await self.terminate()
        # A grandchild that holds a pipe open would keep the transport, and with it us.
        transport = getattr(self._child, "_transport", None)
        if transport is not None:
            transport.close()

    async def _exited(self) -> None:
        # wait() also waits for the pipes, which a grandchild may hold open for long.
        while self._child.returncode is None:  # noqa: ASYNC110 - asyncio has no event for it
            await asyncio.sleep(0.01)

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)


async def split_lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines of any length, made of *chunks*, without their newline."""
    pieces: list[bytes] = []
    async for chunk in chunks:
        first, *others = chunk.split(b"\n")
        pieces.append(first)
        if not others:
            continue
        yield b"".join(pieces)
        for line in others[:-1]:
            yield line
        pieces = [others[-1]]
    last = b"".join(pieces)
    if last:
        yield last


async def end_leftovers(run_id: str, *, grace: float = GRACE) -> int:
    """End what an earlier attempt at *run_id* left on this machine; how many there were.

    When it returns, they are gone for certain, and so is every program they started.
    This process is spared.  Only programs of the same user are seen, unless we are root.

    Raises LeftoverError when one does not die of SIGKILL within a minute.
    """
    ended: set[int] = set()
    for signal_number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 60.0)):
        # Again until none is found: one may start another while we look.
        for _ in range(100):
            with _marked(run_id) as processes:
                if not processes:
                    return len(ended)
                ended.update(processes)
                for descriptor in processes.values():
                    with contextlib.suppress(ProcessLookupError):
                        signal.pidfd_send_signal(descriptor, signal_number)
                if not await asyncio.to_thread(_all_gone, list(processes.values()), seconds):
                    break
    with _marked(run_id) as processes:
        if not processes:
            return len(ended)
        raise LeftoverError(detail=f"process {', '.join(map(str, processes))}")


@contextlib.contextmanager
def _marked(run_id: str) -> Iterator[dict[int, int]]:
    """Living processes with the mark of *run_id*: process id to a descriptor of the process."""
    mark = f"{RUN_MARKER}={run_id}".encode()
    found: dict[int, int] = {}
    try:
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal() or int(entry.name) == os.getpid():
                continue
            pid = int(entry.name)
            with contextlib.suppress(OSError):
                if mark not in _environ(pid):
                    continue
                found[pid] = os.pidfd_open(pid)
                # The number may have passed to another process before it was opened.
                if mark not in _environ(pid):
                    os.close(found.pop(pid))
        yield found
    finally:
        for descriptor in found.values():
            os.close(descriptor)


def _environ(pid: int) -> list[bytes]:
    """Empty for a process that is over and only waits to be reaped."""
    return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


def _all_gone(descriptors: list[int], seconds: float) -> bool:
    """Wait for the processes behind *descriptors*; whether all ended within *seconds*."""
    deadline = time.monotonic() + seconds
    for descriptor in descriptors:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(max(0, deadline - time.monotonic()) * 1000):
            return False
    return True


@contextlib.contextmanager
def _descriptors(secrets: Mapping[str, Secret]) -> Iterator[dict[str, int]]:
    """Descriptors of sealed memory, one a secret, that never touch a disk.

    Closed on our side when the block ends; the child has its own by then.
    """
    opened: dict[str, int] = {}
    try:
        for name, secret in secrets.items():
            opened[name] = descriptor = os.memfd_create(
                "holdfast", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
            )
            os.write(descriptor, secret.reveal().encode())
            fcntl.fcntl(
                descriptor,
                fcntl.F_ADD_SEALS,
                fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL,
            )
        yield opened
    finally:
        for descriptor in opened.values():
            os.close(descriptor)


def _find(program: str, environment: Mapping[str, str]) -> str:
    """The path of *program*, found here because setpriv would answer with its own exit code."""
    found = shutil.which(program, path=environment.get("PATH"))
    if found is None:
        raise ProgramNotFoundError(f"The program {program!r} is not installed on this machine.")
    return found


@cache
def _die_with_us() -> tuple[str, ...]:
    """What to put before a command so that it ends with the thread that started it."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return ()
    usage = subprocess.run([setpriv, "--help"], capture_output=True, check=False)
    if b"--pdeathsig" not in usage.stdout:  # busybox has a setpriv without it
        return ()
    return (setpriv, "--pdeathsig", "TERM", "--")


async def _feed(child: asyncio.subprocess.Process, content: bytes | Secret) -> None:
    if child.stdin is None:
        return
    data = content.reveal().encode() if isinstance(content, Secret) else content
    # A program that ends without reading all of it says why by its exit code.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        child.stdin.write(data)
        await child.stdin.drain()
        child.stdin.close()


async def _chunks(stream: asyncio.StreamReader | None) -> AsyncIterator[bytes]:
    assert stream is not None
    while chunk := await stream.read(CHUNK):
        yield chunk


async def _drain(stream: asyncio.StreamReader | None) -> None:
    # Somebody who still waits for this stream drains it for us.
    with contextlib.suppress(RuntimeError):
        async for _ in _chunks(stream):
            pass


async def _to_the_end(work: Coroutine[object, object, None]) -> None:
    """Finish *work* even when this task is cancelled meanwhile, then let the cancellation on."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                break
            cancelled = error
    if cancelled is not None:
        raise cancelled
    task.result()
