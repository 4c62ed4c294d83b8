"""What was set aside is put back, wherever whoever did it was killed: a real shell, real files."""

import os
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from holdfast.executor.apps.journal import (
    BEGUN,
    DONE,
    UNDONE,
    Journal,
    Move,
    Stopped,
    aside_of,
    undo,
)

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


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(tmp_path)


def test_what_was_there_lies_beside_and_the_place_is_empty(shell: Shell, app: App) -> None:
    app.begin(shell)
    assert app.aside(shell)

    assert list(app.data.iterdir()) == []
    assert not app.compose.exists()
    aside = Path(app.journal.moves[0].aside)
    assert aside.parent.parent == app.data.parent
    assert (aside / "sub/file").read_text() == "before"
    assert (aside / ".hidden").read_text() == "before"


def test_after_a_restore_everything_is_put_back_as_it_was(shell: Shell, app: App) -> None:
    app.begin(shell)
    assert app.aside(shell)
    app.restore()

    assert app.put_back(shell)

    assert app.is_as_before()


def test_killed_at_every_change_of_setting_aside_it_can_be_put_back(tmp_path: Path) -> None:
    for step in range(1, 200):
        root = tmp_path / str(step)
        root.mkdir()
        shell, app = Shell(root), App(root)
        app.begin(shell)
        ended = app.aside(shell, killed_at=step)
        assert app.put_back(shell)
        assert app.is_as_before(), step
        if ended:
            assert step > 15
            return
    raise AssertionError("it never came to its end")


def test_killed_at_every_change_of_setting_aside_it_can_go_on(tmp_path: Path) -> None:
    for step in range(1, 200):
        root = tmp_path / str(step)
        root.mkdir()
        shell, app = Shell(root), App(root)
        app.begin(shell)
        ended = app.aside(shell, killed_at=step)
        assert app.aside(shell)
        assert list(app.data.iterdir()) == []
        app.restore()
        assert app.put_back(shell)
        assert app.is_as_before(), step
        if ended:
            return
    raise AssertionError("it never came to its end")


def test_killed_at_every_change_of_putting_back_it_can_be_put_back_again(tmp_path: Path) -> None:
    for step in range(1, 200):
        root = tmp_path / str(step)
        root.mkdir()
        shell, app = Shell(root), App(root)
        app.begin(shell)
        assert app.aside(shell)
        app.restore()
        ended = app.put_back(shell, killed_at=step)
        assert app.put_back(shell)
        assert app.is_as_before(), step
        if ended:
            assert step > 15
            return
    raise AssertionError("it never came to its end")


def test_a_file_that_came_meanwhile_is_never_overwritten(shell: Shell, app: App) -> None:
    app.begin(shell)
    # Killed between two renames; then somebody makes a file of the name that was moved.
    shell("aside", app.folder, 0, *msgspec.structs.astuple(app.journal.moves[0]), killed_at=8)
    aside = Path(app.journal.moves[0].aside)
    (moved, *_) = aside.iterdir()
    (app.data / moved.name).write_text("somebody's")

    move = app.journal.moves[0]
    told = subprocess.run(
        ["sh", "-c", SCRIPT, "aside", "back", app.folder, "0", move.path, move.aside],
        capture_output=True,
        check=False,
    )

    assert told.returncode == 3
    assert moved.exists()
    assert (app.data / moved.name).read_text() == "somebody's"


def test_a_file_system_of_its_own_is_set_aside_inside_it() -> None:
    assert aside_of("/mnt/disk", RUN, is_mount=True).startswith("/mnt/disk/.holdfast-before-")
    assert aside_of("/srv/data", RUN, is_mount=False).startswith("/srv/.holdfast-before-")


def test_what_is_undone_follows_from_the_journal_and_its_marks() -> None:
    db = Stopped(name="db", id="1", running=True)
    web = Stopped(name="web", id="2", running=False)
    journal = Journal(
        run_id=RUN,
        moves=(Move(path="/a", aside="/x/a"), Move(path="/b", aside="/x/b")),
        containers=(db, web),
        makes=("cache",),
        volumes=("new",),
    )

    assert undo(journal, ()) is None
    assert undo(journal, (BEGUN, DONE)) is None
    assert undo(journal, (BEGUN, UNDONE)) is None
    plan = undo(journal, (BEGUN, "0.kind", "0.aside", "1.kind", "1.back"))
    assert plan is not None
    assert plan.moves == ((0, journal.moves[0]),)
    assert (plan.remove, plan.volumes) == (("cache",), ("new",))
    assert plan.start == (db,)
