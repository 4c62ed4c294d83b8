"""Plain restic beside us, for comparison in the same run."""

import os
import subprocess
import time
from pathlib import Path

from holdfast.restic.binary import find_restic


class PlainRestic:
    """A repository of its own, used as a person would use restic by hand."""

    def __init__(self, scratch: Path) -> None:
        self._restic = find_restic()
        scratch.mkdir(parents=True)
        self._environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": os.environ.get("HOME", "/"),
            "RESTIC_REPOSITORY": str(scratch / "repository"),
            "RESTIC_PASSWORD": "for comparison only",
            "RESTIC_CACHE_DIR": str(scratch / "cache"),
        }
        self._run("init")

    def time_backup(self, path: Path) -> float:
        """Seconds that ``restic backup`` of *path* takes."""
        start = time.monotonic()
        self._run("backup", "--json", str(path))
        return time.monotonic() - start

    def _run(self, *arguments: str) -> None:
        subprocess.run(
            [self._restic, *arguments],
            env=self._environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
