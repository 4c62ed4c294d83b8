"""Real servers for the tests: NATS, Postgres and an S3 server, each in a few lines."""

import asyncio
import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Coroutine
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from holdfast.embedded.nats import EmbeddedNats
from holdfast.embedded.postgres import EmbeddedPostgres

T = TypeVar("T")

OWN_PORTS = (20000, 32000)
"""Below those that the kernel gives to outgoing connections."""


def free_port() -> int:
    """A port of 127.0.0.1 that is free right now, and that no outgoing connection takes later:
    a server that is stopped and started finds it free again."""
    while True:
        port = random.randrange(*OWN_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Background:
    """An event loop in a thread, so that a server can outlive the loop of one test."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def do(self, action: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(action, self._loop).result(90)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class NatsServer:
    """A NATS server that a test may kill and start again."""

    def __init__(self, data: Path) -> None:
        self._background = Background()
        self._server = EmbeddedNats(data)

    def start(self) -> str:
        self._background.do(self._server.start())
        return self._server.url

    def stop(self) -> None:
        self._background.do(self._server.stop())
        self._background.close()


class PostgresServer:
    """A Postgres server; each test takes a database of its own."""

    def __init__(self, data: Path) -> None:
        self._background = Background()
        self._server = EmbeddedPostgres(data)
        self._count = 0

    def start(self) -> None:
        self._background.do(self._server.start())

    def new_database(self) -> str:
        """A fresh, empty database's DSN."""
        import asyncpg

        self._count += 1
        name = f"test_{self._count}"

        async def create() -> None:
            connection = await asyncpg.connect(self._server.dsn)
            await connection.execute(f"create database {name}")
            await connection.close()

        self._background.do(create())
        return self._server.dsn.replace("/postgres?", f"/{name}?")

    def stop(self) -> None:
        self._background.do(self._server.stop())
        self._background.close()


class RcloneS3:
    """``rclone serve s3``: buckets are directories of ``data``, objects are plain files."""

    access_key = "AKHOLDFASTTEST"
    secret_key = "SKholdfastTestSecret0123456789"

    def __init__(self, data: Path, *, tls: Path | None = None) -> None:
        """With *tls*, a folder for its certificate, which nobody trusts unless told."""
        self.data = data
        self.port = free_port()
        self.endpoint = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._tls = tls
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "RcloneS3":
        self.data.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [
                "setpriv",
                "--pdeathsig",
                "KILL",
                "--",
                rclone_binary(),
                "serve",
                "s3",
                "--addr",
                f"127.0.0.1:{self.port}",
                "--auth-key",
                f"{self.access_key},{self.secret_key}",
                "--vfs-cache-mode",
                "off",
                # What a test puts there is seen at once.  With 0 rclone spins for ever.
                "--dir-cache-time",
                "1ms",
                *self._certificate(),
                str(self.data),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": str(self.data), "RCLONE_CONFIG": "/dev/null"},
        )
        asyncio.run(self._wait())
        return self

    def _certificate(self) -> tuple[str, ...]:
        if self._tls is None:
            return ()
        self._tls.mkdir(parents=True, exist_ok=True)
        certificate, key = str(self._tls / "certificate.pem"), str(self._tls / "key.pem")
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-subj", "/CN=house", "-addext", "subjectAltName=IP:127.0.0.1"),
                *("-out", certificate, "-keyout", key),
            ],
            check=True,
            capture_output=True,
        )
        return ("--cert", certificate, "--key", key)

    @property
    def certificate(self) -> str:
        """As ``ca_certificate`` takes it."""
        assert self._tls is not None
        return (self._tls / "certificate.pem").read_text()

    async def _wait(self) -> None:
        async with asyncio.timeout(30):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    return

    def make_bucket(self, name: str) -> None:
        (self.data / name).mkdir(exist_ok=True)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def rclone_binary() -> str:
    """rclone from its wheel, or from PATH."""
    for folder in (sysconfig.get_path("scripts"), str(Path(sys.executable).parent)):
        if os.access(Path(folder) / "rclone", os.X_OK):
            return str(Path(folder) / "rclone")
    found = shutil.which("rclone")
    assert found is not None, "rclone is missing: run 'just setup-dev'"
    return found
