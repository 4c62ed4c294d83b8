"""A real Podman of the tests' own, behind its API socket: its own storage, and no network."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

STORAGE = """
[storage]
driver = "vfs"
graphroot = "{root}/graph"
runroot = "{root}/run"
"""

CONTAINERS = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
tmp_dir = "{root}/run/libpod"
volume_path = "{root}/volumes"
"""


def missing_podman() -> list[str]:
    """What it needs and is not there."""
    found = [each for each in ("podman", "conmon", "runc", "busybox") if not shutil.which(each)]
    return found if os.getuid() == 0 else [*found, "root"]


class Podman:
    """It speaks as ``Dockerd`` does."""

    def __init__(self) -> None:
        # A socket's path must be short.
        self.run = Path(tempfile.mkdtemp(prefix="hf-podman-"))
        self.settings = {
            "CONTAINERS_STORAGE_CONF": str(self.run / "storage.conf"),
            "CONTAINERS_CONF": str(self.run / "containers.conf"),
        }
        """Variables by which a ``podman`` is this one."""
        self._environment = {**os.environ, **self.settings}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Podman":
        for name, text in (("storage", STORAGE), ("containers", CONTAINERS)):
            (self.run / f"{name}.conf").write_text(text.format(root=self.run / "data"))
        (self.run / "data").mkdir()
        with (self.run / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "TERM", "--", "podman"),
                    *("system", "service", "--time=0", f"unix://{self.run}/sock"),
                ],
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 30
        while not (self.run / "sock").exists():
            assert self._process.poll() is None, (self.run / "log").read_text()
            assert time.monotonic() < deadline, (self.run / "log").read_text()
            time.sleep(0.05)
        image = self.run / "image"
        (image / "bin").mkdir(parents=True)
        shutil.copy(shutil.which("busybox") or "", image / "bin" / "sh")
        tar = subprocess.run(["tar", "-C", image, "-c", "."], check=True, capture_output=True)
        subprocess.run(
            ["podman", "import", "-", "localhost/lab:1"],
            input=tar.stdout,
            env=self._environment,
            check=True,
            capture_output=True,
        )
        return self

    def docker(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["podman", *words], env=self._environment, check=check, capture_output=True, text=True
        )

    def remove_all(self) -> None:
        self.docker("rm", "-f", "--all")

    def stop(self) -> None:
        if self._process is not None:
            self.remove_all()
            self._process.terminate()
            self._process.wait(30)
        shutil.rmtree(self.run, ignore_errors=True)
