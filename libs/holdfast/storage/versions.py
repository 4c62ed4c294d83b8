"""The versions of a bucket's objects: what to keep, what may go, what an attack changed.  Pure.

Everything in a repository but its ``config`` is named by the SHA-256 of its content, so that
a version can be told to be the right one without any key.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from holdfast.storage.base import DATA_FOLDERS, INITIALISATION, LOCK_NAME

RETAINED = frozenset((*INITIALISATION, *DATA_FOLDERS))
"""What is locked.  ``locks/`` is not: restic could not end a backup then."""

LOCKS = "locks"


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an object, or one delete marker."""

    key: str
    version_id: str
    written_at: datetime
    is_latest: bool
    is_marker: bool = False
    size: int = 0
    etag: str = ""

    @property
    def id(self) -> str:
        """Its name in a ledger."""
        return f"{self.key}@{self.version_id}"

    def equals(self, other: "Version") -> bool:
        """Whether the server says that both have the same content."""
        return (self.size, self.etag) == (other.size, other.etag)


class History(msgspec.Struct, frozen=True, kw_only=True):
    """All that one name has been, newest first."""

    key: str
    part: str
    """The part of the repository it belongs to: ``data``, ``config`` …"""
    entries: tuple[Version, ...]

    @property
    def latest(self) -> Version:
        return self.entries[0]

    @property
    def contents(self) -> tuple[Version, ...]:
        """Without the delete markers."""
        return tuple(each for each in self.entries if not each.is_marker)

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2]

    @property
    def is_named_by_content(self) -> bool:
        return LOCK_NAME.fullmatch(self.name) is not None

    @property
    def is_gone(self) -> bool:
        return self.latest.is_marker

    @property
    def was_overwritten(self) -> bool:
        """Whether what is there now seems to be other content than there was at first."""
        return not self.is_gone and not self.contents[-1].equals(self.latest)

    @property
    def is_doubtful(self) -> bool:
        """Whether it has ever had different contents."""
        return any(not each.equals(self.contents[-1]) for each in self.contents)


def histories(versions: Iterable[Version], folder: str) -> tuple[History, ...]:
    """One for each name that belongs to the repository in *folder*; others are passed over."""
    by_key: dict[str, list[Version]] = {}
    for each in versions:
        by_key.setdefault(each.key, []).append(each)
    found = []
    for key, entries in by_key.items():
        part, slash, _ = key.removeprefix(folder).partition("/")
        is_ours = part in RETAINED or part == LOCKS
        if not key.startswith(folder) or not is_ours or (slash == "") != (part == "config"):
            continue
        # Times may be in whole seconds: of the same second, content counts as the newer one.
        entries.sort(key=lambda one: one.is_marker)
        entries.sort(key=lambda one: one.written_at, reverse=True)
        entries.sort(key=lambda one: not one.is_latest)
        found.append(History(key=key, part=part, entries=tuple(entries)))
    return tuple(found)


def to_retain(history: History) -> tuple[Version, ...]:
    """The versions whose retention is kept up.

    What is there counts as in use until a prune takes it away.  Of what was overwritten
    every version is kept: one of them is the right one.
    """
    if history.part not in RETAINED or history.is_gone:
        return ()
    return history.contents if history.was_overwritten else (history.latest,)


def to_sweep(history: History, now: datetime, keep: timedelta) -> tuple[Version, ...]:
    """The versions that may go for good, if their retention has ended as well.

    They were deleted *keep* ago or longer, so that for so long an attack can be undone; of
    ``locks/`` at once.  Nothing of a name goes while other content than before stands there.
    """
    if history.was_overwritten:
        return ()
    before = now - (timedelta(0) if history.part == LOCKS else keep)
    gone = [
        each
        for newer, each in zip(history.entries, history.entries[1:], strict=False)
        if newer.written_at <= before
    ]
    if history.is_gone and history.latest.written_at <= before:
        # Last the marker itself: by then there is nothing left that it hides.
        gone.append(history.latest)
    return tuple(gone)


def standing_at(history: History, moment: datetime) -> Version | None:
    """What stood there just before *moment*; a marker when it was deleted, None for nothing."""
    return next((each for each in history.entries if each.written_at < moment), None)


def markers_above(history: History, wanted: Version) -> tuple[Version, ...] | None:
    """The delete markers whose removal brings *wanted* back; None: other content is above it."""
    above = history.entries[: history.entries.index(wanted)]
    return above if all(each.is_marker for each in above) else None


def renewal(until: datetime | None, now: datetime, days: int) -> datetime | None:
    """Until when to retain what is retained *until* then; None: long enough.

    Renewed when less than half of the days are left, so that each object is written to
    once in half that time, and an attack finds at least half of the days.
    """
    whole = timedelta(days=days)
    if until is not None and until - now >= whole / 2:
        return None
    return now + whole
