"""A recovery kit as a person uses it: read from the page, typed into a terminal."""

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import msgspec

from holdfast.events.queries import (
    RECOVERY_KIT_PURPOSE,
    KitContent,
    KitDestination,
    MakeRecoveryKit,
    SealedKit,
)
from holdfast.secretbox.envelope import seal_to
from support.executor import Place
from support.gateway import ID, WHEN


class Page(HTMLParser):
    """The boxes of a page to type from, one list a destination; and all that it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sections: list[list[str]] = []
        self.loads: list[str] = []
        self.text = ""
        self._in_box = False
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.loads += [
            str(value) for name, value in attributes if name in ("src", "href", "action")
        ]
        if tag == "section":
            self.sections.append([])
        if tag == "pre":
            self._in_box = True
            self.sections[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "pre":
            self._in_box = False

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_box:
            self.sections[-1][-1] += data


def kit_answer(*places: Place) -> object:
    """What a catalog that knows *places* answers."""
    content = KitContent(
        instance_id=ID,
        made_at=WHEN,
        destinations=tuple(
            KitDestination(address=each.address, device="nas", secrets=each.secrets)
            for each in places
        ),
    )

    def answer(query: MakeRecoveryKit) -> SealedKit:
        plain = msgspec.json.encode(content)
        return SealedKit(sealed=seal_to(query.public_key, plain, RECOVERY_KIT_PURPOSE))

    return answer


def typed(lines: list[str], folder: Path, restic: Path) -> list[str]:
    """Type *lines* into a shell on a machine that has restic, ssh and nothing else; what was
    said to each."""
    folder.mkdir()
    programs = folder / "bin"
    programs.mkdir()
    shutil.copy(restic, programs / "restic")
    if ssh := shutil.which("ssh"):
        (programs / "ssh").symlink_to(ssh)
    marks = "\necho =====\n".join(lines)
    done = subprocess.run(
        ["/bin/sh", "-e"],
        input=marks + "\n",
        cwd=folder,
        env={"PATH": str(programs), "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("=====\n")
