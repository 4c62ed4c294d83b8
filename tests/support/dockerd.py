"""A real Docker engine of the tests' own: its own socket, data and command."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path


def missing_docker() -> list[str]:
    """What it needs and is not there."""
    needed = ("dockerd", "containerd", "runc", "docker", "busybox")
    found = [each for each in needed if shutil.which(each) is None]
    return found if os.getuid() == 0 else [*found, "root"]


class Dockerd:
    """Without a network, so that nothing of this machine's is touched."""

    def __init__(self, data: Path) -> None:
        self.data = data
        # A socket's path must be short.
        self.run = Path(tempfile.mkdtemp(prefix="hf-docker-"))
        self.bin = data / "bin"
        """A directory for PATH, with a ``docker`` that talks to this engine."""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Dockerd":
        self.bin.mkdir(parents=True)
        docker = shutil.which("docker")
        (self.bin / "docker").write_text(
            f'#!/bin/sh\nexport DOCKER_HOST=unix://{self.run}/sock\nexec {docker} "$@"\n'
        )
        (self.bin / "docker").chmod(0o755)
        with (self.data / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "TERM", "--", "dockerd"),
                    *("--host", f"unix://{self.run}/sock", "--data-root", self.data / "root"),
                    *("--exec-root", self.run / "exec", "--pidfile", self.run / "pid"),
                    *("--storage-driver", "vfs", "--bridge", "none", "--iptables=false"),
                    *("--ip-forward=false", "--ip-masq=false"),
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 30
        while self.docker("info", check=False).returncode != 0:
            assert self._process.poll() is None, (self.data / "log").read_text()
            assert time.monotonic() < deadline, (self.data / "log").read_text()
            time.sleep(0.1)
        self._import_busybox()
        return self

    def docker(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.bin / "docker", *words], check=check, capture_output=True, text=True
        )

    def started(self, name: str, *options: str, image: str = "lab:1", command: str = "") -> str:
        """A container that runs until it is told to end; its id."""
        loop = command or "trap 'exit 0' TERM; while :; do sleep 0.1; done"
        words = ("run", "-d", "--network", "none", "--name", name, *options, image)
        return self.docker(*words, "sh", "-c", loop).stdout.strip()

    def state(self, name: str) -> str:
        """As ``running``, ``paused``, ``exited``."""
        return self.docker("inspect", "-f", "{{.State.Status}}", name).stdout.strip()

    def remove_all(self) -> None:
        ids = self.docker("ps", "-aq").stdout.split()
        if ids:
            self.docker("rm", "-f", *ids)

    def stop(self) -> None:
        if self._process is not None:
            self.remove_all()
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)
        subprocess.run(
            ["umount", "-l", self.run / "exec" / "netns"], check=False, capture_output=True
        )
        shutil.rmtree(self.run, ignore_errors=True)

    def _import_busybox(self) -> None:
        root = self.data / "image"
        (root / "bin").mkdir(parents=True)
        busybox = shutil.which("busybox")
        assert busybox is not None
        shutil.copy(busybox, root / "bin" / "busybox")
        listed = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True)
        for name in listed.stdout.split():
            if name != "busybox":
                (root / "bin" / name).symlink_to("busybox")
        self.import_image(root, "lab:1")

    def import_version(self, name: str, version: str) -> str:
        """An image that differs from others by its file ``/version`` alone; its id."""
        root = self.data / f"version-{version}"
        shutil.copytree(self.data / "image", root, symlinks=True)
        (root / "version").write_text(version)
        self.import_image(root, name)
        shutil.rmtree(root)
        return self.docker("image", "inspect", "--format", "{{.Id}}", name).stdout.strip()

    def import_image(self, root: Path, name: str) -> None:
        """An image with what is in *root*."""
        tar = subprocess.run(["tar", "-C", root, "-c", "."], check=True, capture_output=True)
        subprocess.run(
            [self.bin / "docker", "import", "-", name],
            input=tar.stdout,
            check=True,
            capture_output=True,
        )
