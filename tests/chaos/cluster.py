"""Holdfast as separate processes on servers of its own, each of which may be killed."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread

from holdfast.embedded.nats import EmbeddedNats
from holdfast.embedded.postgres import EmbeddedPostgres
from holdfast.embedded.process import Supervised
from support.house import Process, restic_processes
from support.servers import Background

SERVICES = {
    "scheduler": ["scheduler"],
    "catalog": ["catalog"],
    "executor-1": ["executor"],
    "executor-2": ["executor"],
    "rest": ["retention", "notifier", "gateway"],
}
VICTIMS = ("scheduler", "catalog", "executor-1", "executor-2", "nats", "postgres")
START_SECONDS = 60.0
PAUSE_SECONDS = 0.2
"""Before a service that ended by itself is started again, as systemd or Docker would."""


def parent_of(pid: int) -> int:
    """0 when it has ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


class Keeper:
    """One service, started again whenever it ends, for whatever reason."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        self.name = name
        self.address = ""
        self.gave_up_starting = 0
        """How often it ended by itself before it was ready: its servers were away."""
        self.gave_up = 0
        """How often it ended by itself after that, which it never should."""
        self._log = folder / f"{name}.log"
        self._environment = environment
        self._ready = Event()
        self._stopping = False
        self._killed = False
        self._lock = Lock()
        self._process = self._new()
        self._threads = [Thread(target=self._keep, daemon=True)]
        self._threads[0].start()

    def _new(self) -> Process:
        return Process(["serve", *SERVICES[self.name]], self._log, self._environment)

    def _keep(self) -> None:
        while True:
            process = self._process
            with suppress(AssertionError):
                self.address = process.ready()
                self._ready.set()
            process.popen.wait()
            if process.popen.stdout is not None:
                process.popen.stdout.close()
            with self._lock:
                by_itself, was_ready = not self._killed, self._ready.is_set()
                self._killed = False
                self._ready.clear()
                if self._stopping:
                    return
            if by_itself:
                self.gave_up += was_ready
                self.gave_up_starting += not was_ready
                time.sleep(PAUSE_SECONDS)
            with self._lock:
                if self._stopping:
                    return
                self._process = self._new()

    @property
    def pid(self) -> int:
        return self._process.popen.pid

    def wait_until_ready(self) -> None:
        """Raises AssertionError when it does not come up."""
        assert self._ready.wait(START_SECONDS), f"{self.name} did not start: {self.tail()}"

    def kill(self) -> None:
        """As a power cut would; it is started again at once."""
        with self._lock:
            if self._process.popen.poll() is None:
                self._killed = True
                self._process.popen.kill()

    def end(self) -> None:
        """For good."""
        with self._lock:
            self._stopping = True
            self._process.popen.kill()
        for thread in self._threads:
            thread.join(10)

    def tail(self) -> str:
        return self._log.read_text(errors="replace")[-3000:]


class Cluster:
    """Everything: two servers and five processes, below one folder."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self._background = Background()
        self._nats = EmbeddedNats(folder / "nats")
        self._postgres = EmbeddedPostgres(folder / "postgres")
        self._environment = {
            "HOLDFAST_DATA": str(folder / "data"),
            "HOLDFAST_LISTEN": "127.0.0.1:0",
            "HOLDFAST_LOG_LEVEL": "DEBUG",
            "HOLDFAST_RETRY_DELAYS": "1,2",
            **environment,
        }
        self.services: dict[str, Keeper] = {}

    @property
    def nats_url(self) -> str:
        return self._nats.url

    @property
    def postgres_dsn(self) -> str:
        return self._postgres.dsn

    @property
    def token(self) -> str:
        """The administrator's."""
        return (self.folder / "data" / "admin-token").read_text().strip()

    def start(self) -> "Cluster":
        """Servers first; the catalog before the others, who ask it at once."""
        self._background.do(self._nats.start())
        self._background.do(self._postgres.start())
        self._environment["HOLDFAST_NATS_URL"] = self.nats_url
        self._environment["HOLDFAST_POSTGRES_DSN"] = self.postgres_dsn
        for name in ("catalog", *(name for name in SERVICES if name != "catalog")):
            self.services[name] = Keeper(name, self.folder, self._environment)
            if name == "catalog":
                self.services[name].wait_until_ready()
        self.wait_until_ready()
        return self

    def wait_until_ready(self) -> None:
        for service in self.services.values():
            service.wait_until_ready()

    def kill(self, victim: str) -> None:
        """SIGKILL to a service or a server.  A server that is down already gets none."""
        if victim in self.services:
            self.services[victim].kill()
            return
        server: Supervised = self._nats if victim == "nats" else self._postgres
        with suppress(ProcessLookupError):
            os.kill(self._serving(server), signal.SIGKILL)

    def busy_executor(self) -> str | None:
        """One that has a restic at work right now, for that is when its end does most harm."""
        parents = {parent_of(pid) for pid in restic_processes(str(self.folder))}
        busy = [name for name, each in self.services.items() if each.pid in parents]
        return busy[0] if busy else None

    @staticmethod
    def _serving(server: Supervised) -> int:
        """The server's process id, once the one before it is gone."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            child = server._child
            if child is not None and child.running:
                return child.pid
            time.sleep(0.01)
        raise AssertionError("the server did not come back")

    def stop(self) -> None:
        for service in self.services.values():
            service.end()
        self._background.do(self._nats.stop())
        self._background.do(self._postgres.stop())
        self._background.close()
