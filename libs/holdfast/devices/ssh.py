"""Programs on another machine, over SSH: nothing needs to be there but sshd and a POSIX shell.

A program over there must end with us, and its secrets must not touch that machine's disk.
So a small script of ours starts it (``ssh_start.sh``): secrets come as lines of standard
input and go on as descriptors of memory, and standard input stays open as a lifeline.  When
that is cut, or nothing has come over it for a minute, the script ends the program in order;
sshd by itself would let it go on unseen.
"""

import asyncio
import contextlib
import shlex
from collections.abc import AsyncIterator, Mapping
from importlib.resources import files

import asyncssh

from holdfast.devices.base import (
    GRACE,
    RUN_MARKER,
    DeviceLostError,
    Process,
    Program,
    ProgramNotFoundError,
)
from holdfast.devices.engine import Open, Reader, Writer
from holdfast.devices.facts import SudoRefusedError
from holdfast.devices.streams import CHUNK, drain, split_lines, to_the_end
from holdfast.kernel.secret import Secret

START = files("holdfast.devices").joinpath("ssh_start.sh").read_text(encoding="utf-8")

SILENCE_SECONDS = 60
"""So long the other side hears nothing of us before it ends the program."""

SIGN_SECONDS = 15.0
END_SECONDS = 5.0
"""For the other side to see to the end of a program that was killed."""

MOST_DETAIL = 2000

MOST_SECRETS = 5
"""A POSIX shell knows descriptors of one digit."""

BY_SIGNAL = {137: -9, 143: -15}
"""What a shell says of a program that a signal ended."""

ESCAPED = {byte: f"\\0{byte:03o}".encode() for byte in (*range(32), ord("\\"), *range(127, 256))}


class SshRunner:
    """Runs programs over a connection that is logged in.

    Where a device has no ``/dev/shm`` a secret is a pipe, which a program can read once.
    """

    def __init__(
        self,
        connection: asyncssh.SSHClientConnection,
        *,
        sudo: bool = False,
        silence_seconds: int = SILENCE_SECONDS,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """*environment*: what every program is given beside its own."""
        self._connection = connection
        self._sudo = sudo
        self._silence_seconds = silence_seconds
        self._environment = dict(environment or {})

    @contextlib.asynccontextmanager
    async def start(self, program: Program) -> AsyncIterator[Process]:
        """See ``Runner.start``.  Raises DeviceLostError and SudoRefusedError as well."""
        process = await self._start(program)
        try:
            yield process
        finally:
            await to_the_end(process.close())

    async def _start(self, program: Program) -> "SshProcess":
        if len(program.secrets) > MOST_SECRETS:
            raise ValueError(f"More than {MOST_SECRETS} secrets for one program.")
        try:
            channel = await self._connection.create_process(
                _command(program, self._silence_seconds, self._environment, sudo=self._sudo),
                encoding=None,
            )
            channel.stdin.write(_lines(program))
            first = await channel.stderr.readline()
            said = b""
            # It says what it thinks of the machine's name, say, and goes on.
            while self._sudo and first and not first.startswith(b"holdfast "):
                said += first
                first = await channel.stderr.readline()
        except (OSError, asyncssh.Error) as error:
            raise DeviceLostError(detail=str(error)) from error
        word, _, told = first.decode(errors="replace").strip().partition(" ")
        if word == "holdfast" and told.isdecimal():
            return SshProcess(channel, int(told))
        await to_the_end(_closed(channel))
        if self._sudo and not first:
            raise SudoRefusedError(detail=said.decode(errors="replace")[:MOST_DETAIL])
        if (word, told) == ("holdfast", "missing"):
            raise ProgramNotFoundError(
                f"The program {program.argv[0]!r} is not installed on the device."
            )
        raise DeviceLostError(
            "The device does not start programs.", detail=first.decode(errors="replace")
        )


class SshProcess:
    """A program on the device.  See ``Process``."""

    def __init__(self, channel: "asyncssh.SSHClientProcess[bytes]", pid: int) -> None:
        self.pid = pid
        """Over there."""
        self._channel = channel
        self._signs = asyncio.create_task(_give_signs(channel))

    def lines(self) -> AsyncIterator[bytes]:
        """See ``Process.lines``."""
        return split_lines(self.chunks())

    def chunks(self) -> AsyncIterator[bytes]:
        """See ``Process.chunks``.  Raises DeviceLostError."""
        return _chunks(self._channel.stdout)

    def error_lines(self) -> AsyncIterator[bytes]:
        """See ``Process.error_lines``."""
        return split_lines(_chunks(self._channel.stderr))

    async def wait(self) -> int:
        """See ``Process.wait``.  Raises DeviceLostError when nobody can tell any more."""
        await self._channel.wait_closed()
        code = self._channel.exit_status
        if code is None:
            raise DeviceLostError
        return BY_SIGNAL.get(code, code)

    async def terminate(self, grace: float = GRACE) -> int:
        """SIGTERM, after ``GRACE`` seconds SIGKILL: the other side counts them, not *grace*."""
        draining = [
            asyncio.create_task(drain(_chunks(each)))
            for each in (self._channel.stdout, self._channel.stderr)
        ]
        try:
            with contextlib.suppress(OSError, asyncssh.Error):
                self._channel.stdin.write_eof()
            async with asyncio.timeout(max(grace, GRACE) + END_SECONDS):
                return await self.wait()
        except TimeoutError as error:
            raise DeviceLostError("The device does not end a program.") from error
        finally:
            for task in draining:
                task.cancel()
            await asyncio.gather(*draining, return_exceptions=True)

    async def close(self) -> None:
        """End it if it still runs; what the device does with it when it is lost, it does alone."""
        self._signs.cancel()
        with contextlib.suppress(DeviceLostError):
            await self.terminate()
        await _closed(self._channel)


def _command(
    program: Program, silence_seconds: int, environment: Mapping[str, str], *, sudo: bool
) -> str:
    """The whole of it as one line for whatever shell the user has there."""
    variables = {**environment, **program.environment}
    if program.run_id:
        variables[RUN_MARKER] = program.run_id
    words = (
        *(("sudo", "-n", "--") if sudo else ()),
        *("sh", "-c", START, "holdfast", str(silence_seconds), f"{GRACE:g}"),
        *(program.cwd or "", str(len(program.secrets)), *program.secrets),
        *(f"{name}={value}" for name, value in variables.items()),
        *program.argv,
    )
    return "exec " + " ".join(shlex.quote(word) for word in words)


def _lines(program: Program) -> bytes:
    secrets = [each.reveal().encode() for each in program.secrets.values()]
    given = program.stdin
    stdin = given.reveal().encode() if isinstance(given, Secret) else given
    return b"".join(_escaped(each) + b"\n" for each in (*secrets, stdin))


def _escaped(content: bytes) -> bytes:
    """As printf's %b reads it, in one line."""
    return b"".join(ESCAPED.get(byte) or bytes((byte,)) for byte in content)


async def _give_signs(channel: "asyncssh.SSHClientProcess[bytes]") -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        while True:
            await asyncio.sleep(SIGN_SECONDS)
            channel.stdin.write(b"\n")
            await channel.stdin.drain()


async def _chunks(stream: "asyncssh.SSHReader[bytes]") -> AsyncIterator[bytes]:
    try:
        while chunk := await stream.read(CHUNK):
            yield chunk
    except (OSError, asyncssh.Error) as error:
        raise DeviceLostError(detail=str(error)) from error


def opener(connection: asyncssh.SSHClientConnection) -> Open:
    """Connects to a socket on the device, as the user who is logged in."""

    async def open(socket: str) -> tuple[Reader, Writer]:
        try:
            reader, writer = await connection.open_unix_connection(socket)
        except asyncssh.Error as error:
            raise OSError(f"{socket}: {error}") from error
        return _FarReader(reader), writer

    return open


class _FarReader:
    """Tells in our words that the device went away."""

    def __init__(self, reader: "asyncssh.SSHReader[bytes]") -> None:
        self._reader = reader

    async def read(self, n: int) -> bytes:
        try:
            return await self._reader.read(n)
        except asyncssh.Error as error:
            raise DeviceLostError(detail=str(error)) from error


async def _closed(channel: "asyncssh.SSHClientProcess[bytes]") -> None:
    channel.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(END_SECONDS):
            await channel.wait_closed()
