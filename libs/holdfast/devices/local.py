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
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from holdfast.devices.base import (
    GRACE,
    RUN_MARKER,
    LeftoverError,
    Process,
    Program,
    ProgramNotFoundError,
)
from holdfast.devices.holders import begin_note, write_note
from holdfast.devices.streams import CHUNK, chunks_of, drain, split_lines, to_the_end
from holdfast.kernel.secret import Secret

INHERITED = (
    *("HOME", "PATH", "TMPDIR", "XDG_CACHE_HOME", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    "DOCKER_HOST",
)
"""All that a child sees of our environment: credentials of the machine must not decide."""


class LocalRunner:
    """Runs programs as children of this process.

    A child has a session of its own, so Ctrl-C in a terminal reaches only us and we end
    the child in order.  It gets SIGTERM from the kernel when the thread that started it
    dies, so even ``kill -9`` leaves none behind (where util-linux's setpriv is installed).

    In *notes* every program that works for a run has a file while it lives: see ``holders``.
    """

    def __init__(
        self, environ: Mapping[str, str] = os.environ, *, notes: Path | None = None
    ) -> None:
        self._notes = notes
        self._environment = {name: environ[name] for name in INHERITED if name in environ}

    @contextlib.asynccontextmanager
    async def start(self, program: Program) -> AsyncIterator[Process]:
        """See ``Runner.start``."""
        async with contextlib.AsyncExitStack() as stack:
            process = await self._start(program, stack)
            try:
                yield process
            finally:
                await to_the_end(process.close())

    async def _start(self, program: Program, stack: contextlib.AsyncExitStack) -> "LocalProcess":
        environment = {**self._environment, **program.environment}
        if program.run_id:
            environment[RUN_MARKER] = program.run_id
        argv = [_find(program.argv[0], environment), *program.argv[1:]]

        with contextlib.ExitStack() as ours:  # what the child has and we need not keep
            inherited: list[int] = []
            for name, secret in program.secrets.items():
                inherited.append(_memory(secret.reveal().encode(), ours))
                environment[name] = f"/proc/self/fd/{inherited[-1]}"
            stdin = _memory(_bytes(program.stdin), ours) if program.stdin else DEVNULL
            output, stdout = await _pipe(stack, ours)
            errors, stderr = await _pipe(stack, ours)
            # The child holds the reading ends as well: were we to die, its next line would
            # otherwise break the pipe, and restic would die of that before it took its
            # lock away.
            inherited += [output.descriptor, errors.descriptor]
            note = -1
            if self._notes is not None and program.run_id:
                path, note = begin_note(self._notes, ours)
                stack.callback(path.unlink, missing_ok=True)
                inherited.append(note)
            child = await asyncio.create_subprocess_exec(
                *_die_with_us(),
                *argv,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                cwd=program.cwd,
                env=environment,
                pass_fds=inherited,
                start_new_session=True,
            )
            if note >= 0:
                write_note(note, child.pid, program.run_id)
        return LocalProcess(child, output.reader, errors.reader)


class LocalProcess:
    """A child of this process.  See ``Process``."""

    def __init__(
        self,
        child: asyncio.subprocess.Process,
        output: asyncio.StreamReader,
        errors: asyncio.StreamReader,
    ) -> None:
        self._child = child
        self._output = output
        self._errors = errors

    @property
    def pid(self) -> int:
        return self._child.pid

    def lines(self) -> AsyncIterator[bytes]:
        """See ``Process.lines``."""
        return split_lines(self.chunks())

    def chunks(self) -> AsyncIterator[bytes]:
        """See ``Process.chunks``."""
        return chunks_of(self._output)

    def error_lines(self) -> AsyncIterator[bytes]:
        """See ``Process.error_lines``."""
        return split_lines(chunks_of(self._errors))

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
        draining = [
            asyncio.create_task(drain(chunks_of(stream))) for stream in (self._output, self._errors)
        ]
        try:
            async with asyncio.timeout(grace):
                return await self._child.wait()
        except TimeoutError:
            self._kill_group()
            return await self._child.wait()
        finally:
            self._kill_group()
            for task in draining:
                task.cancel()
            await asyncio.gather(*draining, return_exceptions=True)

    async def close(self) -> None:
        """End it if it still runs."""
        await self.terminate()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)


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


class _Pipe(NamedTuple):
    reader: asyncio.StreamReader
    descriptor: int
    """The reading end."""


async def _pipe(kept: contextlib.AsyncExitStack, given: contextlib.ExitStack) -> tuple[_Pipe, int]:
    """A pipe from a child: our end is closed by *kept*, the writing one by *given*."""
    reading, writing = os.pipe()
    given.callback(os.close, writing)
    reader = asyncio.StreamReader(limit=CHUNK)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb", buffering=0)
    )
    kept.callback(transport.close)
    return _Pipe(reader, reading), writing


def _memory(content: bytes, given: contextlib.ExitStack) -> int:
    """A descriptor of sealed memory that reads as *content* and never touches a disk.

    Closed on our side by *given*; the child has its own by then.
    """
    descriptor = os.memfd_create("holdfast", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    given.callback(os.close, descriptor)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    fcntl.fcntl(
        descriptor,
        fcntl.F_ADD_SEALS,
        fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL,
    )
    return descriptor


def _bytes(content: bytes | Secret) -> bytes:
    return content.reveal().encode() if isinstance(content, Secret) else content


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
