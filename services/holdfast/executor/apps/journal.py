"""The journal of an app's restore: what is to be undone if it does not come to its end.  Pure.

It lies on the device, in a private folder, and is on disk before anything is changed.  Each
change has its number; marks beside the journal tell how far each is.  So whoever finds it can
put everything back, however often, and wherever the one before was cut off.
"""

import posixpath
from collections.abc import Collection
from uuid import UUID

import msgspec

from holdfast.events.restoring import AppRestoreResult
from holdfast.executor.apps.definitions import Definition
from holdfast.executor.consistency.engine import PODMAN
from holdfast.executor.discovery import ASIDE


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """What is at *path* goes to *aside*, by rename."""

    path: str
    aside: str


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """A container of the app as it was before."""

    name: str
    id: str
    running: bool


class Replaced(msgspec.Struct, frozen=True, kw_only=True):
    """A container that is there and differs: it gets another name, and one is made as it was."""

    name: str
    id: str
    aside: str
    """Its name from then on."""
    restart: str = ""
    """Its restart policy, as the engine's command takes it; empty: that cannot be changed."""
    image: str
    """What it is kept as in the end."""

    @property
    def starts(self) -> bool:
        """Whether it must be told not to start by itself."""
        return self.restart not in ("", NEVER)


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """All that a restore will change."""

    run_id: UUID
    engine: str = ""
    """The engine's command; empty: the app has no containers."""
    moves: tuple[Move, ...]
    containers: tuple[Stopped, ...] = ()
    """In the order in which they are started."""
    volumes: tuple[str, ...] = ()
    """Those that are not there, and are made."""
    makes: tuple[str, ...] = ()
    """Names of containers that are not there, and are made."""
    replaced: tuple[Replaced, ...] = ()
    result: AppRestoreResult | None = None
    """What came of it, once it is at its good end: whoever was to tell it may die."""


class Undo(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done to put everything back, in this order."""

    remove: tuple[str, ...]
    """Names of containers that were made, if they are there."""
    replaced: tuple[Replaced, ...]
    """To be what they were, in the place of those that were made."""
    moves: tuple[tuple[int, Move], ...]
    """Each with its number."""
    volumes: tuple[str, ...]
    """To be removed, if they are there."""
    start: tuple[Stopped, ...]


NEVER = "no"
"""The restart policy of what does not start by itself."""

BEGUN = "begun"
"""The mark of the first change."""
DONE = "done"
"""The mark of a restore that came to its good end: nothing is put back any more."""
UNDONE = "undone"
"""The mark of one that is put back."""
DISCARDED = "discarded"
"""The mark of one whose previous state is gone; a point and the id of the run follow."""


def undo(journal: Journal, marks: Collection[str]) -> Undo | None:
    """How everything is put back; None: there is nothing to put back."""
    if BEGUN not in marks or DONE in marks or UNDONE in marks:
        return None
    touched = [
        (number, move)
        for number, move in enumerate(journal.moves)
        if f"{number}.kind" in marks and f"{number}.back" not in marks
    ]
    return Undo(
        remove=tuple(reversed(journal.makes)),
        replaced=tuple(reversed(journal.replaced)),
        moves=tuple(reversed(touched)),
        volumes=journal.volumes,
        start=tuple(each for each in journal.containers if each.running),
    )


def aside_of(path: str, run_id: UUID, *, is_mount: bool) -> str:
    """Where what is at *path* is set aside: beside it, or inside it where it is a file system."""
    above = path if is_mount else posixpath.dirname(path)
    return posixpath.join(above, f"{ASIDE}{short(run_id)}", posixpath.basename(path))


def replaced_by(definition: Definition, run_id: UUID, kind: str) -> Replaced:
    """What becomes of a container in whose place another one is made.

    *kind*: the engine's.  Podman before its release 5.1 cannot change a restart policy.
    """
    told = definition.host_config.get("RestartPolicy") or {}
    policy, most = str(told.get("Name") or NEVER), told.get("MaximumRetryCount")
    restart = f"{policy}:{most}" if policy == "on-failure" and most else policy
    return Replaced(
        name=definition.plain_name,
        id=definition.id,
        aside=f"{definition.plain_name}{ASIDE}{short(run_id)}",
        restart="" if kind == PODMAN else restart,
        image=f"holdfast-before-{short(run_id)}:{definition.plain_name[:128]}",
    )


def is_aside(move: Move, run_id: UUID) -> bool:
    """Whether that restore sets *move* aside so: nothing else of a journal is ever removed."""
    return any(
        move.aside == aside_of(move.path, run_id, is_mount=is_mount) for is_mount in (True, False)
    )


def short(run_id: UUID) -> str:
    """Enough of a run's id for a name; its end, as its beginning is the time."""
    return run_id.hex[-12:]
