"""What was set aside is removed for good, wherever whoever did it was killed: a real shell."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast.executor.apps.journal import DONE, Move, is_aside, undo
from support.aside import RUN, SCRIPT, App, Shell, content


def done(root: Path) -> tuple[Shell, App]:
    """An app that was restored, to its good end."""
    root.mkdir(exist_ok=True)
    shell, app = Shell(root), App(root)
    app.begin(shell)
    assert app.aside(shell)
    app.restore()
    shell("mark", app.folder, DONE)
    return shell, app


def discard(shell: Shell, app: App, killed_at: int = 0) -> bool:
    """Whether it came to its end; *killed_at* counts through all of it."""
    for number, move in enumerate(app.journal.moves):
        if shell("discard", app.folder, number, move.aside, killed_at=killed_at):
            return False
        killed_at = int(shell.count.read_text())
    return True


def told(app: App, number: int, move: Move) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", SCRIPT, "aside", "discard", app.folder, str(number), move.aside],
        capture_output=True,
        check=False,
        text=True,
    )


def left(app: App) -> list[Path]:
    return list(app.root.rglob(".holdfast-before-*"))


def test_what_was_before_goes_and_its_bytes_are_told_each_time_it_is_said(tmp_path: Path) -> None:
    _, app = done(tmp_path)
    move = app.journal.moves[0]
    (Path(move.aside) / "sub/big").write_bytes(bytes(range(256)) * 4096)
    now = {name: what for name, what in content(app.root).items() if "holdfast-before" not in name}

    first = [told(app, number, each) for number, each in enumerate(app.journal.moves)]
    again = [told(app, number, each) for number, each in enumerate(app.journal.moves)]

    assert [each.returncode for each in (*first, *again)] == [0] * 6, first
    assert int(first[0].stdout) >= 2**20
    assert int(first[2].stdout) == 0  # nothing was there
    assert [each.stdout for each in again] == [each.stdout for each in first]
    assert content(app.root) == now
    assert undo(app.journal, {each.name for each in app.folder.iterdir()}) is None


def test_killed_at_every_change_it_goes_on_and_touches_nothing_else(tmp_path: Path) -> None:
    for step in range(1, 200):
        shell, app = done(tmp_path / str(step))
        now = {name for name in content(app.root) if "holdfast-before" not in name}
        whole = told_size(app)
        ended = discard(shell, app, killed_at=step)
        assert discard(shell, app), step
        assert set(content(app.root)) == now, step
        assert (app.data / "new").read_text() == "after"
        assert (app.folder / "0.size").read_text() == whole, step
        if ended:
            assert step > 15
            return
    raise AssertionError("it never came to its end")


def told_size(app: App) -> str:
    told = subprocess.run(
        ["du", "-sk", app.journal.moves[0].aside], capture_output=True, check=True, text=True
    )
    return f"{int(told.stdout.split()[0]) * 1024}\n"


def test_of_a_restore_that_did_not_come_to_its_end_nothing_goes(tmp_path: Path) -> None:
    _, app = done(tmp_path)
    (app.folder / DONE).unlink()
    now = content(app.root)

    refused = told(app, 0, app.journal.moves[0])

    assert refused.returncode == 3
    assert "good end" in refused.stderr
    assert content(app.root) == now


def test_a_link_in_the_place_of_its_folder_leads_nowhere(tmp_path: Path) -> None:
    _, app = done(tmp_path)
    move = app.journal.moves[0]
    above = Path(move.aside).parent
    above.rename(app.root / "elsewhere")
    above.symlink_to(app.root / "elsewhere")
    now = content(app.root)

    refused = told(app, 0, move)

    assert refused.returncode == 3
    assert "no folder of Holdfast's" in refused.stderr
    assert content(app.root) == now


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[App]:
    """Somebody mounted a disk in what was set aside, behind a link and with a space in its name."""
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    _, app = done(tmp_path / "linked")
    point = Path(app.journal.moves[0].aside) / "sub/a disk"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(point)], check=True)
    try:
        (point / "precious").write_text("somebody's")
        yield app
    finally:
        subprocess.run(["umount", str(point.resolve())], check=True)


def test_what_is_mounted_in_it_is_left_alone(mounted: App) -> None:
    move = mounted.journal.moves[0]

    refused = told(mounted, 0, move)

    assert refused.returncode == 3
    assert "a file system is mounted" in refused.stderr
    assert (Path(move.aside) / "sub/a disk/precious").read_text() == "somebody's"
    assert (Path(move.aside) / ".hidden").exists()


def test_only_what_that_restore_sets_aside_is_ever_removed() -> None:
    moved = Move(path="/srv/data", aside="/srv/.holdfast-before-5d2e8c7f1105/data")

    assert RUN.hex.endswith("5d2e8c7f1105")
    assert is_aside(moved, RUN)
    assert is_aside(
        Move(path="/mnt", aside="/mnt/.holdfast-before-5d2e8c7f1105/mnt"), RUN
    )  # a file system of its own
    assert not is_aside(replace(moved, aside="/srv/data"), RUN)
    assert not is_aside(replace(moved, aside="/srv/.holdfast-before-5d2e8c7f1106/data"), RUN)
    assert not is_aside(replace(moved, aside="/etc"), RUN)
