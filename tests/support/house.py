"""Holdfast as a process, and its REST API: what the end-to-end tests see of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

OUTCOMES = {"success", "partial", "failed", "cancelled"}


def wait_until(condition: Callable[[], Any], *, seconds: float = 60, what: str = "") -> Any:
    """The condition's value once it is true; AssertionError after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or condition}")
        time.sleep(0.05)


class Process:
    """One ``holdfast …`` process, and its log."""

    def __init__(
        self, arguments: list[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        with log.open("ab") as file:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "holdfast", *arguments],
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                env={**clean_environment(), **(environment or {})},
            )

    def ready(self) -> str:
        """The address in its ``ready`` line."""
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            if line.startswith("ready"):
                return line.strip().partition(" ")[2]
        raise AssertionError(f"did not start:\n{self.tail()}")

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    def kill(self) -> None:
        """As a power cut would."""
        self.popen.kill()
        self.popen.wait()
        if self.popen.stdout is not None:
            self.popen.stdout.close()

    def stop(self, number: int = signal.SIGTERM, seconds: float = 60) -> int:
        """Ask it to end, and give its exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        code = self.popen.wait(seconds)
        if self.popen.stdout is not None:
            self.popen.stdout.close()
        return code


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}


class Api:
    """The REST API, with the few steps that every test needs."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token
        self.http = httpx.Client(
            base_url=url + "/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(10, read=150),
        )

    def close(self) -> None:
        self.http.close()

    def get(self, path: str, /, **parameters: Any) -> Any:
        return self._checked(self.http.get(path, params=parameters))

    def post(self, path: str, body: Any = None, **parameters: Any) -> Any:
        return self._checked(self.http.post(path, json=body, params=parameters))

    def patch(self, path: str, body: Any) -> Any:
        return self._checked(self.http.patch(path, json=body))

    @staticmethod
    def _checked(response: httpx.Response) -> Any:
        assert response.is_success, f"{response.status_code}: {response.text}"
        return response.json()

    def device(self) -> str:
        return str(self.get("/devices")["devices"][0]["id"])

    def local(self, name: str, path: Path) -> Any:
        path.mkdir(exist_ok=True)
        body = {"name": name, "device_id": self.device(), "path": str(path)}
        return self.post("/backup/destinations/local", body)

    def s3(self, name: str, server: Any, bucket: str) -> Any:
        server.make_bucket(bucket)
        body = {
            "name": name,
            "endpoint": server.endpoint,
            "bucket": bucket,
            "region": "us-east-1",
            "access_key": server.access_key,
            "secret_key": server.secret_key,
        }
        return self.post("/backup/destinations/s3", body)

    def sftp(self, name: str, server: Any, path: Path, **fields: Any) -> Any:
        path.mkdir(exist_ok=True)
        body = {
            "name": name,
            "host": "127.0.0.1",
            "port": server.port,
            "user": server.user,
            "path": str(path),
            "private_key": server.private_key,
            **fields,
        }
        return self.post("/backup/destinations/sftp", body)

    def ssh_device(self, name: str, sshd: Any) -> Any:
        """A machine behind an sshd, tested, so that its key is pinned."""
        body = {
            "name": name,
            "type": "ssh",
            "host": "127.0.0.1",
            "port": sshd.port,
            "user": sshd.user,
            "private_key": sshd.private_key,
        }
        device = self.post("/devices", body)
        tested = self.post(f"/devices/{device['id']}/test")
        assert tested["status"] == "success", tested["failure"]
        return self.get(f"/devices/{device['id']}")

    def app(self, name: str, *paths: Path) -> Any:
        return self.post(
            "/apps", {"name": name, "device_id": self.device(), "paths": [str(p) for p in paths]}
        )

    def policy(self, name: str, *destinations: Any, **fields: Any) -> Any:
        body = {
            "name": name,
            "schedule": "0 2 * * *",
            "destination_ids": [each["id"] for each in destinations],
            **fields,
        }
        return self.post("/backup/policies", body)

    def configuration(self, app: Any, policy: Any, **fields: Any) -> Any:
        body = {"app_id": app["id"], "policy_id": policy["id"], **fields}
        return self.post("/backup/configurations", body)

    def default_configuration(self, app: Any) -> Any:
        """The one that a new app gets by itself."""
        found = self.get("/backup/configurations")["configurations"]
        return next(each for each in found if each["app_id"] == app["id"])

    def start(self, configuration: Any) -> Any:
        return self.post(f"/backup/configurations/{configuration['id']}/backup")

    def run(self, run_id: str) -> Any:
        return self.get(f"/backup/runs/{run_id}")

    def outcome(self, run_id: str, seconds: float = 90) -> Any:
        """The run once it has ended."""

        def ended() -> Any:
            run = self.run(run_id)
            return run if run["status"] in OUTCOMES else None

        return wait_until(ended, seconds=seconds, what=f"run {run_id} ended")

    def back_up(self, configuration: Any) -> Any:
        return self.outcome(self.start(configuration)["run_id"])

    def snapshots(self, **parameters: Any) -> Any:
        return self.get("/backup/snapshots", **parameters)["snapshots"]

    def restore(self, snapshot: Any, target: Path, files: list[str] | None = None) -> Any:
        """With ``wait=true``: the spec's answer."""
        body: dict[str, Any] = {"target_device_id": self.device(), "target_path": str(target)}
        if files is not None:
            body["files"] = files
        return self.post(f"/backup/snapshots/{snapshot['id']}/restore", body, wait="true")


class House:
    """``holdfast up`` on a directory of its own."""

    def __init__(self, data: Path, **environment: str) -> None:
        self.data = data
        # Discoveries are other runs among those that a test looks at: they are asked for.
        self.environment = {
            "HOLDFAST_LOG_LEVEL": "DEBUG",
            "HOLDFAST_DISCOVER_SECONDS": "0",
            "HOLDFAST_SYSTEM_BACKUPS": "off",
            "HOLDFAST_DRILLS": "off",
            **environment,
        }
        self.process: Process
        self.api: Api

    def start(self) -> "House":
        self.process = Process(
            ["up", "--data", str(self.data), "--listen", "127.0.0.1:0"],
            self.data.with_suffix(".log"),
            self.environment,
        )
        url = self.process.ready()
        self.api = Api(url, (self.data / "admin-token").read_text().strip())
        return self

    def kill(self) -> None:
        self.api.close()
        self.process.kill()

    def command(
        self, *arguments: str | Path, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """``holdfast ARGUMENTS`` against this one."""
        return subprocess.run(
            [sys.executable, "-m", "holdfast", *map(str, arguments)],
            env={
                **clean_environment(),
                "HOLDFAST_URL": self.api.url,
                "HOLDFAST_TOKEN": self.api.token,
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.api.close()
        return self.process.stop(number)


def restic_processes(marker: str = "") -> list[int]:
    """Process ids of restics that serve a repository or path with *marker* in it."""
    found = []
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit():
            continue
        try:
            command = (directory / "cmdline").read_bytes().split(b"\0")
            environment = (directory / "environ").read_bytes()
            state = (directory / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue  # it has just ended
        is_restic = command and os.path.basename(command[0]) == b"restic"
        if is_restic and state != "Z" and marker.encode() in b"\0".join(command) + environment:
            found.append(int(directory.name))
    return found
