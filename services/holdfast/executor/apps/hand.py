"""What is done to files where the app is: a script of ours, a word at a time."""

from collections.abc import Sequence
from importlib.resources import files
from uuid import UUID

import msgspec

from holdfast.executor.apps.journal import Journal, Move
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.commands import told_by
from holdfast.kernel.errors import HoldfastError

SCRIPT = files("holdfast.devices").joinpath("aside.sh").read_text(encoding="utf-8")


class AsideError(HoldfastError):
    """Files of the app could not be moved."""

    code = "aside_failed"
    guidance = "Is there room for a folder beside them, and may Holdfast's user (or sudo) do it?"


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What is at a path."""

    kind: str
    """``absent``, ``empty`` (a directory), ``folder`` (one with content), ``file`` or ``link``."""
    own: str
    """``mount``: a file system's root; ``holds``: one is mounted below it; else ``inside``."""
    free_bytes: int
    file_system: str


class Hand:
    """At the app's device, for the restores of one app."""

    def __init__(self, attempt: Attempt, app_id: UUID) -> None:
        self._attempt = attempt
        self.folder = f"{attempt.cache_there}/app-restores/{app_id}"

    async def unfinished(self) -> tuple[UUID, ...]:
        """Runs whose restore neither came to its end nor was put back."""
        return tuple(UUID(each) for each in await self._do("unfinished", self.folder))

    async def begin(self, journal: Journal) -> None:
        """Keep the journal, in the place of the one before if there is one."""
        content = msgspec.json.encode(journal)
        await self._do("begin", self._of(journal.run_id), stdin=content)

    async def mark(self, run_id: UUID, mark: str) -> None:
        """It is so from now on, whatever dies."""
        await self._do("mark", self._of(run_id), mark)

    async def read(self, run_id: UUID) -> tuple[Journal, frozenset[str]] | None:
        """A journal and its marks, if there is one."""
        told = await self._do("read", self._of(run_id))
        if not told:
            return None
        end = told.index("")
        journal = msgspec.json.decode("\n".join(told[end + 1 :]), type=Journal)
        return journal, frozenset(told[:end])

    async def look(self, paths: Sequence[str]) -> tuple[Look, ...]:
        """What is at each of *paths*."""
        told = await self._do("look", self.folder, *paths) if paths else []
        words = [line.split(" ", 3) for line in told]
        return tuple(
            Look(kind=kind, own=own, free_bytes=int(free) * 1024, file_system=name)
            for kind, own, free, name in words
        )

    async def aside(self, run_id: UUID, number: int, move: Move) -> bool:
        """Whether anything was there."""
        told = await self._do("aside", self._of(run_id), str(number), move.path, move.aside)
        return told != ["absent"]

    async def back(self, run_id: UUID, number: int, move: Move) -> None:
        """As it was before."""
        await self._do("back", self._of(run_id), str(number), move.path, move.aside)

    async def discard(self, run_id: UUID, number: int, move: Move) -> int:
        """What was set aside goes for good; how many bytes that were, whoever began with it."""
        (told,) = await self._do("discard", self._of(run_id), str(number), move.aside)
        return int(told)

    async def empty(self, path: str) -> None:
        """A directory, if it is one, has nothing in it any more."""
        await self._do("empty", self.folder, path)

    async def like(self, path: str, owner: str, mode: str) -> None:
        """A directory that is so."""
        await self._do("like", self.folder, path, owner, mode)

    def _of(self, run_id: UUID) -> str:
        return f"{self.folder}/{run_id}"

    async def _do(self, what: str, folder: str, *words: str, stdin: bytes = b"") -> list[str]:
        argv = ("sh", "-c", SCRIPT, "aside", what, folder, *words)
        told = await told_by(self._attempt, argv, stdin=stdin)
        if told.code != 0:
            raise AsideError(detail=told.said)
        return told.lines
