"""Proof that a process is gone: by what this machine shows, or by a note with a lock on it.

A process id means something only where it was given out.  On the machine itself every
process is seen, those in containers too, with the ids they have there.  Inside a container
only its own are, so what is not seen may live all the same; there a note counts: a file
that each program holds locked as long as it lives, and that the kernel unlocks when it dies.
"""

import fcntl
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from uuid import uuid4

import msgspec

from holdfast.devices.base import RUN_MARKER

FIRST_PID_NAMESPACE = "pid:[4026531836]"
"""The machine's own, a constant of Linux (PROC_PID_INIT_INO)."""

NO_NAMES = frozenset(("", "localhost", "localhost.localdomain"))
"""Host names that any number of machines have."""

SLACK = timedelta(seconds=2)
NOTES_KEPT = timedelta(days=30)


class Life(StrEnum):
    """What is known of a process."""

    ALIVE = "alive"
    GONE = "gone"
    UNKNOWN = "unknown"
    """It may live where we cannot look."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One program that was started here."""

    hostname: str
    pid: int
    run_id: str
    started_at: datetime


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """What can be seen from here."""

    hostname: str
    sees_all: bool
    """No process of this host is hidden from us."""
    restics: Mapping[int, str] = {}
    """Living restic: process id, in any namespace, to its run; empty for a foreign one."""
    gone: tuple[Note, ...] = ()
    """Programs of ours that are proved dead."""

    def life_of(self, hostname: str, pid: int, seen_at: datetime) -> tuple[Life, str]:
        """Of the restic that said at *seen_at* that it is *pid* on *hostname*; and its run."""
        if hostname != self.hostname or hostname in NO_NAMES:
            return Life.UNKNOWN, ""
        if pid in self.restics:
            return Life.ALIVE, self.restics[pid]
        for note in self.gone:
            if note.hostname == hostname and note.pid == pid and note.started_at <= seen_at + SLACK:
                return Life.GONE, note.run_id
        return (Life.GONE if self.sees_all else Life.UNKNOWN), ""


def look(notes: Path | None = None) -> Sight:
    """Look around.  Reads all of /proc: some milliseconds."""
    # The notes first: one that dies in between is not seen as gone, which is the safe side.
    gone = tuple(_gone(notes)) if notes is not None else ()
    return Sight(
        hostname=socket.gethostname(), sees_all=_sees_all(), restics=dict(_restics()), gone=gone
    )


def begin_note(folder: Path, given: ExitStack) -> tuple[Path, int]:
    """A new note: its path, and the descriptor that the program is to inherit.

    The lock belongs to the open file: it is free when the last process that inherited the
    descriptor has ended.  *given* closes our copy.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / uuid4().hex
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    given.callback(os.close, descriptor)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return path, descriptor


def write_note(descriptor: int, pid: int, run_id: str) -> None:
    """Fill in who it is."""
    note = Note(hostname=socket.gethostname(), pid=pid, run_id=run_id, started_at=datetime.now(UTC))
    os.pwrite(descriptor, msgspec.json.encode(note), 0)


def _gone(folder: Path) -> Iterator[Note]:
    """The notes that nobody holds.  Those that are too old to matter are removed."""
    with suppress(FileNotFoundError):
        for path in list(folder.iterdir()):
            with suppress(OSError, msgspec.MsgspecError), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                note = msgspec.json.decode(file.read(), type=Note)
                if datetime.now(UTC) - note.started_at > NOTES_KEPT:
                    path.unlink(missing_ok=True)
                else:
                    yield note


def _sees_all() -> bool:
    try:
        if os.readlink("/proc/self/ns/pid") != FIRST_PID_NAMESPACE:
            return False
        # A /proc mounted with hidepid shows nothing of other users.
        return Path("/proc/1/comm").read_text() != ""
    except OSError:
        return False


def _restics() -> Iterator[tuple[int, str]]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            status = dict(
                line.partition(":")[::2] for line in (entry / "status").read_text().splitlines()
            )
            if status["State"].split()[0] in "ZX" or not _is_restic(entry):
                continue
        except (FileNotFoundError, ProcessLookupError):
            continue
        run_id = _run_of(entry)
        for pid in {entry.name, *status.get("NSpid", "").split()}:
            yield int(pid), run_id


def _is_restic(entry: Path) -> bool:
    """By its name; one that may not be looked at counts as one."""
    try:
        name = (entry / "comm").read_bytes()
        program = (entry / "cmdline").read_bytes().partition(b"\0")[0]
    except PermissionError:
        return True
    return b"restic" in name.lower() or b"restic" in os.path.basename(program).lower()


def _run_of(entry: Path) -> str:
    with suppress(OSError):
        for variable in (entry / "environ").read_bytes().split(b"\0"):
            name, _, value = variable.partition(b"=")
            if name == RUN_MARKER.encode():
                return value.decode(errors="replace")
    return ""
