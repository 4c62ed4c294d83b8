"""A line of shell where the app's files are: bounded in time, and what it says is kept."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from holdfast.devices.base import Program, ProgramNotFoundError, Runner
from holdfast.executor.attempt import Attempt

KEPT_BYTES = 8 * 1024
"""So much of its last words."""

MOST_SAID = 2000
"""Characters of what a program that failed says of it."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended."""

    code: int | None
    """None: its time was over."""
    output: str
    """The last words of both streams."""

    @property
    def ok(self) -> bool:
        """Whether it did what it should."""
        return self.code == 0


class Tail:
    """The end of what a command says."""

    def __init__(self) -> None:
        self._kept: deque[bytes] = deque()
        self._size = 0

    def add(self, chunk: bytes) -> None:
        """Take in what came."""
        self._kept.append(chunk[-KEPT_BYTES:])
        self._size += len(self._kept[-1])
        while self._size - len(self._kept[0]) >= KEPT_BYTES:
            self._size -= len(self._kept.popleft())

    @property
    def text(self) -> str:
        """As text, whatever it was."""
        return b"".join(self._kept)[-KEPT_BYTES:].decode(errors="replace").strip()


def runner_of(attempt: Attempt) -> Runner:
    """Where the app's files are."""
    return attempt.deps.runner if attempt.host is None else attempt.host.runner


async def ended(
    attempt: Attempt,
    argv: Sequence[str],
    *,
    seconds: float,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run *argv* to its end, or for so long: then it is ended, with all that it started."""
    tail = Tail()
    program = Program(
        argv=argv, run_id=str(attempt.work.run_id), environment=dict(environment or {})
    )
    try:
        async with asyncio.timeout(seconds), runner_of(attempt).start(program) as process:

            async def errors() -> None:
                async for line in process.error_lines():
                    tail.add(line + b"\n")

            reading = asyncio.create_task(errors())
            try:
                async for chunk in process.chunks():
                    tail.add(chunk)
                await reading
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
            return Ended(code=await process.wait(), output=tail.text)
    except TimeoutError:
        if attempt.host is not None:
            # Over a link only the program itself is ended, not what it has started.
            await attempt.host.end_leftovers(str(attempt.work.run_id))
        return Ended(code=None, output=tail.text)
    except ProgramNotFoundError as error:
        return Ended(code=127, output=error.message)


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """All that a short program said, and how it ended."""

    code: int
    lines: list[str]
    said: str
    """Of standard error, cut."""


async def told_by(attempt: Attempt, argv: Sequence[str], *, stdin: bytes = b"") -> Told:
    """Run *argv* where the app's files are, to its end."""
    program = Program(argv=argv, run_id=str(attempt.work.run_id), stdin=stdin)
    async with runner_of(attempt).start(program) as process:
        lines = await lines_of(process.lines())
        said = "\n".join(await lines_of(process.error_lines()))
        return Told(code=await process.wait(), lines=lines, said=said[:MOST_SAID])


async def lines_of(stream: AsyncIterator[bytes]) -> list[str]:
    """All lines, as text."""
    return [line.decode(errors="replace") async for line in stream]
