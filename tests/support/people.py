"""Somebody who is not root, known to one server alone: in files of its own view of the disk."""

import os
import shutil
import subprocess
from pathlib import Path

UID = 54321

VIEW = """
for each in passwd shadow sudoers hosts; do
    mount --bind "$1/$each" "/etc/$each" || exit 1
done
shift
exec "$@"
"""


class Person:
    """A user with a home, and with what sudo lets them do."""

    name = "hf-person"

    def __init__(self, root: Path, *, sudoers: str = "") -> None:
        """*sudoers*: further lines of that file."""
        self.home = root / "home"
        self.home.mkdir(parents=True)
        self.log = root / "sudo.log"
        self._files = root / "etc"
        self._files.mkdir()
        self._write("passwd", f"{self.name}:x:{UID}:65534::{self.home}:/bin/sh\n")
        self._write("shadow", f"{self.name}:*:19000:0:99999:7:::\n", mode=0o600)
        self._write("hosts", "127.0.0.1 localhost\n", instead=True)  # sudo complains of that
        self.allow(sudoers)
        os.chown(self.home, UID, 65534)
        for each in root.parents:  # or nobody else gets to the home
            if each.owner() == "root" and each.is_relative_to("/tmp"):
                each.chmod(each.stat().st_mode | 0o111)
        root.chmod(0o755)

    def allow(self, sudoers: str) -> None:
        """Anew, as Debian has it: with a terminal of its own for whom sudo starts."""
        text = f"Defaults env_reset, use_pty, logfile={self.log}\nroot ALL=(ALL) ALL\n{sudoers}\n"
        self._write("sudoers", text, mode=0o440, instead=True)

    @property
    def entered(self) -> tuple[str, ...]:
        """What to put before a server that is to know them."""
        view = ("sh", "-c", VIEW, "view", str(self._files))
        return ("unshare", "--mount", "--propagation", "private", "--", *view)

    def _write(self, name: str, lines: str, *, mode: int = 0o644, instead: bool = False) -> None:
        path = self._files / name
        text = lines if instead else Path("/etc", name).read_text() + lines
        path.write_text(text)
        path.chmod(mode)


def can_be_somebody() -> str:
    """Why not; empty: there are servers that know others than us."""
    if shutil.which("sudo") is None:
        return "sudo is not installed"
    if os.getuid() != 0:
        return "only root can let others log in"
    tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "no view of the disk of one's own here"
