"""Images of this machine's own programs, for the tests' own engine: nothing is pulled."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path


def libraries_of(programs: Iterable[Path]) -> set[str]:
    """The libraries that they are linked with, and the loader."""
    told = subprocess.run(["ldd", *programs], check=False, capture_output=True, text=True).stdout
    return set(re.findall(r"(?:=> |^\t)(/\S+) \(", told, re.MULTILINE))


def copy_into(root: Path, paths: Iterable[str]) -> None:
    """Files to the same place below *root*, as what links lead to."""
    for path in paths:
        there = root / path[1:]
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, there)


def add_user(root: Path, name: str) -> None:
    """The one with the number 999, whom the servers of databases run as."""
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/passwd").write_text(f"root:x:0:0::/:/bin/sh\n{name}:x:999:999::/:/bin/sh\n")
    (root / "etc/group").write_text(f"root:x:0:\n{name}:x:999:\n")


def open_to_all(root: Path, *folders: str) -> None:
    """Made, and written to by everybody."""
    for each in folders:
        (root / each).mkdir(parents=True, exist_ok=True)
        (root / each).chmod(0o1777)


def data_folder(root: Path, folder: str) -> None:
    """A new volume that is mounted over it belongs to the database's user, as it does."""
    (root / folder).mkdir(parents=True, mode=0o700)
    shutil.chown(root / folder, 999, 999)
