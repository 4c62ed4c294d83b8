"""The directory that a drill restores to: private, its configuration's own, and gone after."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

import msgspec

from holdfast.devices.base import Program
from holdfast.events.drilling import DrillRequested
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.commands import MOST_SAID, lines_of, runner_of, told_by
from holdfast.executor.drills.comparing import Seen, seen_in
from holdfast.kernel.errors import HoldfastError

SCRIPT = files("holdfast.devices").joinpath("scratch.sh").read_text(encoding="utf-8")

SPARE_BYTES = 64 * 1024 * 1024
"""What stays free."""


class ScratchError(HoldfastError):
    """The scratch directory of a drill could not be made, read or taken away."""

    code = "scratch_failed"
    guidance = (
        "Is its scratch_path a directory there, and may Holdfast's user (or sudo) write in it?"
    )


class NoRoomForDrillError(HoldfastError):
    """There is less space than the drill would take."""

    code = "no_room_for_drill"
    guidance = (
        "Nothing was restored. Name another scratch_path or device, free some space, or lower "
        "most_bytes: then a sample is restored."
    )


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an empty scratch directory."""

    is_root: bool
    """Files can be given to anybody there."""
    free_bytes: int

    def must_hold(self, size: int, path: str) -> None:
        """Raises NoRoomForDrillError when it has no room for so many bytes."""
        if self.free_bytes < size + SPARE_BYTES:
            raise NoRoomForDrillError(
                f"{path} has {self.free_bytes // 2**20} MiB free, and the drill needs "
                f"{(size + SPARE_BYTES) // 2**20}."
            )


class Scratch:
    """The one of a configuration: whoever drills it finds what a drill before it left."""

    def __init__(self, attempt: Attempt, work: DrillRequested) -> None:
        self._attempt = attempt
        self._is_ours = not work.scratch_path
        above = f"{attempt.cache_there}/drills" if self._is_ours else work.scratch_path.rstrip("/")
        self.path = f"{above}/.holdfast-drill-{work.configuration_id}"

    async def make(self) -> Made:
        """It is there and empty.  Raises ScratchError."""
        if self._is_ours:
            await self._do("parent")
        told = await self._do("make")
        user, free = told[0].split()
        return Made(is_root=user == "0", free_bytes=int(free) * 1024)

    async def clear(self) -> None:
        """It is gone.  Raises ScratchError."""
        await self._do("clear")

    @asynccontextmanager
    async def listing(self) -> AsyncIterator[AsyncIterator[Seen]]:
        """All that is in it, in no order; raises ScratchError at its end if that is not all."""
        word = secrets.token_hex(8)
        program = Program(argv=self._argv("list", word), run_id=str(self._attempt.work.run_id))
        async with runner_of(self._attempt).start(program) as process:

            async def every() -> AsyncIterator[Seen]:
                async for each in seen_in(process.lines(), word):
                    yield each
                said = "\n".join(await lines_of(process.error_lines()))
                if await process.wait() != 0:
                    raise ScratchError(detail=said[:MOST_SAID])

            yield every()

    def _argv(self, what: str, *words: str) -> tuple[str, ...]:
        return ("sh", "-c", SCRIPT, "scratch", what, self.path, *words)

    async def _do(self, what: str) -> list[str]:
        told = await told_by(self._attempt, self._argv(what))
        if told.code != 0:
            raise ScratchError(detail=told.said)
        return told.lines
