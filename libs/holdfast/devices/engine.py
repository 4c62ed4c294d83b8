"""A container engine's API, over its socket: here, or on a device through SSH.

One request a connection, in HTTP/1.0: the answer ends where the connection does, so that no
HTTP client is needed, and whatever carries bytes will do.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol
from urllib.parse import quote

from holdfast.kernel.errors import HoldfastError

ANSWER_SECONDS = 30.0
CHANGES = {
    "type": ["container", "volume"],
    "event": ["create", "destroy", "remove", "rename"],
}
"""What is worth another look.  Podman says ``remove`` where Docker says ``destroy``."""

LARGEST_ANSWER = 64 * 1024 * 1024


class EngineRefusedError(HoldfastError):
    """The container engine does not answer."""

    code = "engine_refused"
    guidance = "Is it running, and may Holdfast's user open its socket (group 'docker')?"
    retryable = True


class Reader(Protocol):
    """What can be read from."""

    async def read(self, n: int) -> bytes:
        """Up to *n* bytes; none at the end."""
        ...


class Writer(Protocol):
    """What can be written to."""

    def write(self, data: bytes) -> None:
        """Send it."""
        ...

    def close(self) -> None:
        """Be done."""
        ...


Open = Callable[[str], Awaitable[tuple[Reader, Writer]]]
"""Connects to the socket at a path."""


async def open_here(socket: str) -> tuple[Reader, Writer]:
    """Connect to a socket of this machine."""
    return await asyncio.open_unix_connection(socket)


class Engine:
    """The engine behind one socket."""

    def __init__(self, open: Open, socket: str) -> None:
        self._open = open
        self._socket = socket

    async def get(self, path: str) -> bytes | None:
        """The answer's body; None: there is no such thing.  Raises EngineRefusedError."""
        status, body = await self._call(path, _request(path))
        if status == b"404":
            return None
        if status != b"200":
            raise EngineRefusedError(detail=f"{path}: {body[:500].decode(errors='replace')}")
        return body

    async def post(self, path: str, body: bytes) -> None:
        """Have something made; *body* is JSON.  Raises EngineRefusedError with its words."""
        status, told = await self._call(path, _request(path, body))
        if not status.startswith(b"2"):
            raise EngineRefusedError(
                "The container engine refuses.",
                detail=f"{path}: {told[:500].decode(errors='replace')}",
            )

    async def _call(self, path: str, request: bytes) -> tuple[bytes, bytes]:
        """The status and the body.  Raises EngineRefusedError."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._answer(path, request)
        except (OSError, TimeoutError) as error:
            raise EngineRefusedError(detail=f"{self._socket}: {error}") from error
        head, _, body = answer.partition(b"\r\n\r\n")
        return b"".join(head.split(b" ", 2)[1:2]), body

    @contextlib.asynccontextmanager
    async def changes(self) -> AsyncIterator[AsyncIterator[None]]:
        """Within the block, one for each container or volume that comes or goes from its beginning
        on, until the engine ends.  Raises EngineRefusedError."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reader, writer = await self._open(self._socket)
                filters = quote(json.dumps(CHANGES))
                writer.write(_request(f"/events?filters={filters}"))
                head = b""
                while b"\r\n\r\n" not in head:
                    chunk = await reader.read(65536)
                    if not chunk:
                        break
                    head += chunk
        except (OSError, TimeoutError) as error:
            raise EngineRefusedError(detail=f"{self._socket}: {error}") from error
        try:
            head, _, begun = head.partition(b"\r\n\r\n")
            if head.split(b" ", 2)[1:2] != [b"200"]:
                raise EngineRefusedError(detail=head[:500].decode(errors="replace"))
            yield self._lines(reader, begun)
        finally:
            writer.close()

    async def _lines(self, reader: Reader, begun: bytes) -> AsyncIterator[None]:
        chunk = begun
        while True:
            for _ in range(chunk.count(b"\n")):
                yield
            try:
                chunk = await reader.read(65536)
            except OSError as error:
                raise EngineRefusedError(detail=f"{self._socket}: {error}") from error
            if not chunk:
                return

    async def _answer(self, path: str, request: bytes) -> bytes:
        reader, writer = await self._open(self._socket)
        try:
            writer.write(request)
            answer = bytearray()
            while chunk := await reader.read(65536):
                answer += chunk
                if len(answer) > LARGEST_ANSWER:
                    raise EngineRefusedError(f"The answer to {path} is too large.")
            return bytes(answer)
        finally:
            writer.close()


def _request(path: str, body: bytes | None = None) -> bytes:
    if body is None:
        return f"GET {path} HTTP/1.0\r\nHost: engine\r\n\r\n".encode()
    head = (
        f"POST {path} HTTP/1.0\r\nHost: engine\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
