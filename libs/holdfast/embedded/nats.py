"""A NATS server with JetStream, for this machine only."""

import asyncio
import json
import os
import secrets
import signal
import socket
import sys
import sysconfig
from pathlib import Path

from holdfast.embedded.process import Child, ServerStartError, Supervised

START_SECONDS = 30.0


def nats_server_binary() -> Path:
    """The server from its wheel.  Raises ServerStartError."""
    for folder in (sysconfig.get_path("scripts"), str(Path(sys.executable).parent)):
        binary = Path(folder) / "nats-server"
        if os.access(binary, os.X_OK):
            return binary
    raise ServerStartError("There is no nats-server.", guidance="Run 'just setup'.")


class EmbeddedNats(Supervised):
    """One server on 127.0.0.1; everything it has is below *data*."""

    def __init__(self, data: Path, port: int = 0) -> None:
        super().__init__("nats")
        self._data = data
        self._port = port
        self._token = ""

    @property
    def url(self) -> str:
        """Where it serves, with the token that opens it."""
        return f"nats://{self._token}@127.0.0.1:{self._port}"

    async def launch(self) -> Child:
        self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._token = self._token or _token(self._data / "token")
        self._port = self._port or free_port()
        config = self._data / "nats.conf"
        write_private(config, _config(self._data / "jetstream", self._port, self._token))
        child = Child([nats_server_binary(), "-c", config], self._data / "nats.log")
        await child.start()
        await wait_for_port(child, self._port, "The NATS server")
        return child

    async def end(self, child: Child) -> None:
        await child.stop(signal.SIGTERM)


def _config(store: Path, port: int, token: str) -> str:
    """The server's settings.  Every message is on the disk before it is acknowledged."""
    return "\n".join(
        (
            f"listen: 127.0.0.1:{port}",
            f"authorization {{ token: {json.dumps(token)} }}",
            f"jetstream {{ store_dir: {json.dumps(str(store))}, sync_interval: always }}",
            "max_payload: 8MB",
            "",
        )
    )


def _token(path: Path) -> str:
    """The server's token: made once, then kept."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32))
    return path.read_text(encoding="ascii")


def write_private(path: Path, text: str) -> None:
    """Write a file that only we may read; whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def free_port() -> int:
    """A port of 127.0.0.1 that is free right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def wait_for_port(child: Child, port: int, what: str) -> None:
    """Until somebody listens.  Raises ServerStartError when the program ends, or never does."""
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if not child.running or asyncio.get_running_loop().time() > deadline:
                raise child.failure(what) from None
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return
