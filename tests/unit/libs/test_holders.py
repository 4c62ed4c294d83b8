"""Proof that a process is gone, from real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from holdfast.devices.base import RUN_MARKER
from holdfast.devices.holders import look

OWNER = """
import subprocess, sys
from contextlib import ExitStack
from pathlib import Path
sys.path[:] = sys.argv[2:]
from holdfast.devices.holders import begin_note, write_note

with ExitStack() as given:
    path, note = begin_note(Path(sys.argv[1]), given)
    child = subprocess.Popen(["sleep", "60"], pass_fds=[note], stdout=subprocess.DEVNULL)
    write_note(note, child.pid, "r1")
print(child.pid, flush=True)
sys.stdin.read()
"""


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_note_speaks_of_its_process_only_when_that_is_dead(tmp_path: Path) -> None:
    """The one that wrote it may be long dead: what it started counts."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path), *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    assert look(tmp_path).gone == ()
    owner.kill()
    owner.communicate()
    assert look(tmp_path).gone == ()

    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: look(tmp_path).gone != ())

    (note,) = look(tmp_path).gone
    assert (note.pid, note.run_id, note.hostname) == (pid, "r1", look().hostname)


def test_a_living_restic_is_known_by_its_name_and_its_run(tmp_path: Path) -> None:
    named = tmp_path / "restic_0.19.1_linux_amd64"
    named.symlink_to("/bin/sleep")
    with (
        subprocess.Popen([named, "60"], env={RUN_MARKER: "r7"}) as ours,
        subprocess.Popen([named, "60"]) as foreign,
        subprocess.Popen(["sleep", "60"]) as other,
    ):
        wait_until(lambda: {ours.pid, foreign.pid} <= set(look().restics))
        seen = look().restics
        for each in (ours, foreign, other):
            each.kill()

    assert (seen[ours.pid], seen[foreign.pid]) == ("r7", "")
    assert other.pid not in seen
    assert ours.pid not in look().restics


def test_what_is_no_note_is_no_proof(tmp_path: Path) -> None:
    (tmp_path / "half").write_text('{"hostname": "he')

    assert look(tmp_path).gone == ()
    assert look(tmp_path / "nowhere").gone == ()
