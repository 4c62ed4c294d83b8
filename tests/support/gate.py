"""A gate before a server: shut, nobody reaches it, and whoever was connected is cut off."""

import asyncio
import contextlib

from support.servers import Background, free_port


class Gate:
    """Passes bytes to a port of 127.0.0.1 while it is open; clients know only the gate's port."""

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self.refused = 0
        """Connections that came while it was shut."""
        self._behind = port
        self._is_open = True
        self._streams: set[asyncio.StreamWriter] = set()
        self._background = Background()
        self._server = self._background.do(asyncio.start_server(self._pass, "127.0.0.1", self.port))

    def shut(self) -> None:
        self._is_open = False
        self._background.do(self._cut())

    def open(self) -> None:
        self._is_open = True

    def close(self) -> None:
        self.shut()
        self._server.close()
        self._background.close()

    async def _cut(self) -> None:
        for each in list(self._streams):
            each.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._is_open:
            self.refused += 1
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._behind)
        self._streams |= {writer, back}
        try:
            await asyncio.gather(_pour(reader, back), _pour(there, writer))
        finally:
            self._streams -= {writer, back}
            for each in (writer, back):
                each.transport.abort()


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await source.read(65536):
            target.write(chunk)
            await target.drain()
        target.write_eof()
