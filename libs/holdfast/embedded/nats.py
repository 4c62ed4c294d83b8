"""A NATS server with JetStream, for this machine only."""

import asyncio
import json
import os
import secrets
import signal
import sys
import sysconfig
from pathlib import Path

from holdfast.embedded.process import (
    Child,
    DirectoryLock,
    ServerStartError,
    Supervised,
    kill_if_it_fails,
)
from holdfast.kernel.private_file import create_private, replace_private

START_SECONDS = 30.0


def nats_server_binary() -> Path:
    """The server from its wheel.  Raises ServerStartError."""
    for folder in (sysconfig.get_path("scripts"), str(Path(sys.executable).parent)):
        binary = Path(folder) / "nats-server"
        if os.access(binary, os.X_OK):
            return binary
    raise ServerStartError("There is no nats-server.", guidance="Run './just setup'.")


class EmbeddedNats(Supervised):
    """One server on 127.0.0.1; everything it has is below *data*.

    With *port* 0 the server takes a free one at its first start and keeps it over
    restarts, so that connected clients find it again.
    """

    def __init__(self, data: Path, port: int = 0) -> None:
        super().__init__("nats")
        self._data = data
        self._port = port
        self._token = ""
        self._lock = DirectoryLock(data / "lock")

    @property
    def url(self) -> str:
        """Where it serves, with the token that opens it."""
        return f"nats://{self._token}@127.0.0.1:{self._port}"

    async def launch(self) -> Child:
        self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = await self._lock.take()
        try:
            self._token = self._token or _token(self._data / "token")
            for old in self._data.glob("*.ports"):
                old.unlink(missing_ok=True)
            config = self._data / "nats.conf"
            replace_private(config, _config(self._data, self._port, self._token).encode())
            child = Child(
                [nats_server_binary(), "-c", config],
                self._data / "nats.log",
                keeps_open=[descriptor],
            )
            await child.start()
        finally:
            self._lock.release()
        await kill_if_it_fails(child, asyncio.ensure_future(self._learn_port(child)))
        return child

    async def end(self, child: Child) -> None:
        await child.stop(signal.SIGTERM)

    async def _learn_port(self, child: Child) -> None:
        """From the file that the server writes once it listens.

        Connecting instead could meet a stranger who took the port before the server did.
        """
        ports = self._data / f"nats-server_{child.pid}.ports"
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while True:
            found = _port_in(ports)
            if found is not None:
                self._port = found
                return
            if not child.running or asyncio.get_running_loop().time() > deadline:
                raise child.failure("The NATS server")
            await asyncio.sleep(0.005)


def _port_in(ports: Path) -> int | None:
    """The client port in the server's file; None while it is not whole."""
    try:
        return int(json.loads(ports.read_text())["nats"][0].rpartition(":")[2])
    except (OSError, ValueError, LookupError):
        return None


def _config(data: Path, port: int, token: str) -> str:
    """The server's settings.  Every message is on the disk before it is acknowledged."""
    store = json.dumps(str(data / "jetstream"))
    return "\n".join(
        (
            f"listen: 127.0.0.1:{port or -1}",
            f"ports_file_dir: {json.dumps(str(data))}",
            f"authorization {{ token: {json.dumps(token)} }}",
            f"jetstream {{ store_dir: {store}, sync_interval: always }}",
            "max_payload: 8MB",
            "",
        )
    )


def _token(path: Path) -> str:
    """The server's token: made once, then kept."""
    if not path.exists():
        create_private(path, secrets.token_urlsafe(32).encode())
    return path.read_text(encoding="ascii")
