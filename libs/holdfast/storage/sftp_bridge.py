"""The program that restic starts to reach a server over SFTP: SSH with the secrets in memory.

restic speaks SFTP on our standard input and output; we pass it to the server's SFTP subsystem.
What opens the server comes through an inherited descriptor of memory, named in the environment,
so that it is in no argument, environment or file.  See decision 12.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import asyncssh
import uvloop

from holdfast.storage.base import SftpTarget
from holdfast.storage.errors import ConnectionLostError, EndpointTimeoutError, StorageError
from holdfast.storage.sftp_connection import WINDOW, connected
from holdfast.storage.sftp_errors import connecting_error
from holdfast.storage.sftp_ticket import read_ticket

SAYS = "holdfast-sftp:"
"""Before an error's code on standard error; restic passes the line on."""

STALL_SECONDS = 180.0
"""A server that owes an answer for so long is taken for gone, though its SSH is alive."""

PASS_ON_SECONDS = 0.3
"""So long restic has to pass our last words on."""

LOOK_SECONDS = 5.0
"""Between two looks at whether the server still answers."""

FULL = 4 * 1024 * 1024
"""Bytes that may wait for the other side."""


class Bridge:
    """The two pipes to restic and the channel to the server, each held up by the other."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._owed_since: float | None = None
        self.ended: asyncio.Future[StorageError | None] = asyncio.Future()
        self.stdin: Any = None
        self.stdout: Any = None
        self.channel: Any = None

    def from_restic(self, data: bytes) -> None:
        """Requests, to the server."""
        if self._owed_since is None:
            self._owed_since = self._now()
        self.channel.write(data)

    def from_server(self, data: bytes) -> None:
        """Answers, to restic."""
        self._owed_since = None
        self.stdout.write(data)

    def stalled(self) -> bool:
        """Whether the server owes an answer for too long."""
        return self._owed_since is not None and self._now() - self._owed_since > STALL_SECONDS

    def end(self, error: StorageError | None) -> None:
        """Stop; the first reason counts."""
        if not self.ended.done():
            self.ended.set_result(error)


class Server(asyncssh.SSHClientSession[bytes]):
    """The server's SFTP subsystem."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Answers; what the server says on standard error is not for restic."""
        if datatype is None:
            self._bridge.from_server(data)

    def pause_writing(self) -> None:
        """The server is slower than restic."""
        self._bridge.stdin.pause_reading()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._bridge.stdin.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """By whatever cause: restic has not closed its end, so it was not done."""
        self._bridge.end(ConnectionLostError(detail=str(exc or "")))


class FromRestic(asyncio.Protocol):
    """Our standard input."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def data_received(self, data: bytes) -> None:
        """Requests."""
        self._bridge.from_restic(data)

    def connection_lost(self, _exc: Exception | None) -> None:
        """restic is done, or dead: what it waited for has been answered, or nobody waits."""
        self._bridge.end(None)


class ToRestic(asyncio.BaseProtocol):
    """Our standard output."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def pause_writing(self) -> None:
        """restic is slower than the server."""
        self._bridge.channel.pause_reading()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._bridge.channel.resume_reading()

    def connection_lost(self, _exc: Exception | None) -> None:
        """restic is dead."""
        self._bridge.end(None)


async def carry(target: SftpTarget) -> None:
    """Carry SFTP between restic and *target* until restic is done.

    Raises the StorageError that says why the server was lost.
    """
    loop = asyncio.get_running_loop()
    bridge = Bridge(loop.time)
    async with connected(target) as connection:
        bridge.stdout, _ = await loop.connect_write_pipe(
            lambda: ToRestic(bridge), os.fdopen(1, "wb", buffering=0, closefd=False)
        )
        bridge.stdout.set_write_buffer_limits(high=FULL)
        try:
            bridge.channel, _ = await connection.create_session(
                lambda: Server(bridge), subsystem="sftp", encoding=None, window=WINDOW
            )
        except asyncssh.Error as error:
            raise connecting_error(error, target) from error
        bridge.channel.set_write_buffer_limits(high=FULL)
        bridge.stdin, _ = await loop.connect_read_pipe(
            lambda: FromRestic(bridge), os.fdopen(0, "rb", buffering=0, closefd=False)
        )
        while not bridge.ended.done():
            await asyncio.wait([bridge.ended], timeout=LOOK_SECONDS)
            if bridge.stalled():
                bridge.end(EndpointTimeoutError(f"{target.where} does not answer any more."))
        error = bridge.ended.result()
        if error is not None:
            raise error


def main() -> None:
    """Exit code 0 when restic is done, 1 with a line that names the error otherwise."""
    try:
        uvloop.run(carry(read_ticket(os.environ)))
        code = 0
    except StorageError as error:
        # One write, so that restic passes it on in one line.
        sys.stderr.write(f"{SAYS} {error.code}: {error.message}\n")
        sys.stderr.flush()
        # restic ends as soon as we do, and would not pass on what it has not read yet.
        time.sleep(PASS_ON_SECONDS)
        code = 1
    # Without waiting for what still hangs on a dead line.
    os._exit(code)


if __name__ == "__main__":
    main()
