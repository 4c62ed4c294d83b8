"""What was set aside is put back, wherever whoever did it was killed: a real shell, real files."""

import subprocess
from pathlib import Path

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
from support.aside import RUN, SCRIPT, App, Shell


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
