"""A real registry of images, of the tests' own: engines trust one at 127.0.0.1 without TLS."""

import shutil
import subprocess
from pathlib import Path

import httpx

from support.servers import free_port


def missing_registry() -> list[str]:
    """What it needs and is not there."""
    return [] if shutil.which("docker-registry") else ["docker-registry"]


class Registry:
    """Its images are below *root*."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = f"127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Registry":
        self.root.mkdir(exist_ok=True)
        (self.root / "config.yml").write_text(
            "version: 0.1\n"
            f"storage: {{filesystem: {{rootdirectory: {self.root / 'images'}}}}}\n"
            f"http: {{addr: '{self.name}'}}\n"
        )
        with (self.root / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "KILL", "--"),
                    *("docker-registry", "serve", self.root / "config.yml"),
                ],
                stdout=log,
                stderr=log,
            )
        return self

    def answers(self) -> bool:
        try:
            return httpx.get(f"http://{self.name}/v2/", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
