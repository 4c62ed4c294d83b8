"""An app's files, and the script that sets them aside, killed before any of its changes."""

import os
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from uuid import UUID

import msgspec

from holdfast.executor.apps.journal import BEGUN, Journal, Move, aside_of, undo

SCRIPT = files("holdfast.devices").joinpath("aside.sh").read_text(encoding="utf-8")
RUN = UUID("0198f3a2-6c1e-7105-9a4b-5d2e8c7f1105")
CHANGES = ("mv", "rm", "touch", "mkdir", "rmdir", "sync", "chown", "chmod")


class Shell:
    """Runs the script; it is killed before its n-th change, if told so."""

    def __init__(self, root: Path) -> None:
        self.bin = root / "bin"
        self.count = root / "count"
        self.bin.mkdir()
        for name in CHANGES:
            shim = self.bin / name
            shim.write_text(
                "#!/bin/sh\n"
                f'n=$(cat {self.count}); n=$((n - 1)); echo "$n" >{self.count}\n'
                '[ "$n" -ne 0 ] || { kill -9 $PPID; exit 1; }\n'
                f'exec {shutil.which(name)} "$@"\n'
            )
            shim.chmod(0o755)

    def __call__(self, *words: object, stdin: bytes = b"", killed_at: int = 0) -> int:
        self.count.write_text(str(killed_at or -1))
        told = subprocess.run(
            ["sh", "-c", SCRIPT, "aside", *map(str, words)],
            input=stdin,
            capture_output=True,
            check=False,
            env={"PATH": f"{self.bin}:{os.environ['PATH']}"},
        )
        assert told.returncode in (0, -9), told.stderr
        return told.returncode


def content(root: Path) -> dict[str, object]:
    """All below it: what is in files, and modes of folders."""
    return {
        str(each.relative_to(root)): each.read_bytes()
        if each.is_file()
        else each.stat().st_mode & 0o777
        for each in sorted(root.rglob("*"))
    }


class App:
    def __init__(self, root: Path) -> None:
        self.root = root / "app"
        self.data = self.root / "volume/_data"
        self.compose = self.root / "compose.yml"
        self.absent = self.root / "absent/file"
        self.data.mkdir(parents=True)
        self.data.chmod(0o750)
        (self.data / "sub").mkdir()
        (self.data / "sub/file").write_text("before")
        (self.data / ".hidden").write_text("before")
        (self.data / "with space").write_text("before")
        self.compose.write_text("before")
        self.before = content(self.root)
        paths = (self.data, self.compose, self.absent)
        self.journal = Journal(
            run_id=RUN,
            moves=tuple(
                Move(path=str(each), aside=aside_of(str(each), RUN, is_mount=False))
                for each in paths
            ),
        )
        self.folder = root / "journal" / str(RUN)

    def begin(self, shell: Shell) -> None:
        shell("begin", self.folder, stdin=msgspec.json.encode(self.journal))
        shell("mark", self.folder, BEGUN)

    def aside(self, shell: Shell, killed_at: int = 0) -> bool:
        """Whether it came to its end; *killed_at* counts through all of it."""
        for number, move in enumerate(self.journal.moves):
            if shell("aside", self.folder, number, move.path, move.aside, killed_at=killed_at):
                return False
            killed_at = int(shell.count.read_text())
        return True

    def restore(self) -> None:
        (self.data / "sub").mkdir()
        (self.data / "sub/file").write_text("after")
        (self.data / "new").write_text("after")
        self.data.chmod(0o700)
        self.compose.write_text("after")
        self.absent.parent.mkdir()
        self.absent.write_text("after")

    def put_back(self, shell: Shell, killed_at: int = 0) -> bool:
        plan = undo(self.journal, {each.name for each in self.folder.iterdir()})
        assert plan is not None
        for number, move in plan.moves:
            if shell("back", self.folder, number, move.path, move.aside, killed_at=killed_at):
                return False
            killed_at = int(shell.count.read_text())
        return True

    def is_as_before(self) -> bool:
        found = content(self.root)
        found.pop("absent", None)  # an empty directory that a restore made may stay
        return found == self.before
