"""A scripted runner, so that tests of other packages need no restic."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

from holdfast.devices.base import GRACE, Process, Program


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """How a program behaves: what it writes, when it ends, and how."""

    stdout: Sequence[str | bytes] = ()
    stderr: Sequence[str | bytes] = ()
    exit_code: int = 0
    until: asyncio.Event | None = None
    """It writes, and then goes on until this is set or it is asked to end."""


class ScriptedRunner:
    """Answers each call by the first rule that fits, and remembers what was asked.

    ``runner.on("backup", Reply(…), Reply(…))`` answers calls with that argument: the first
    reply once, the last one from then on.  A call without a rule is an AssertionError.
    """

    def __init__(self) -> None:
        self.programs: list[Program] = []
        self.ended: list[Program] = []
        """Those that were asked to end before they had."""
        self._rules: list[tuple[Callable[[Program], bool], list[Reply]]] = []

    def on(self, argument: str | Callable[[Program], bool], *replies: Reply) -> "ScriptedRunner":
        """Add a rule, by an argument or by anything else about the program."""
        if isinstance(argument, str):
            self._rules.append((lambda program: argument in program.argv, list(replies)))
        else:
            self._rules.append((argument, list(replies)))
        return self

    def calls(self, argument: str) -> list[Program]:
        """The programs that were started with *argument*."""
        return [program for program in self.programs if argument in program.argv]

    @contextlib.asynccontextmanager
    async def start(self, program: Program) -> AsyncIterator[Process]:
        """See ``Runner.start``."""
        self.programs.append(program)
        process = ScriptedProcess(self._reply(program))
        try:
            yield process
        finally:
            if process.running:
                self.ended.append(program)
                await process.terminate()

    def _reply(self, program: Program) -> Reply:
        for fits, replies in self._rules:
            if fits(program):
                return replies.pop(0) if len(replies) > 1 else replies[0]
        raise AssertionError(f"no reply for {list(program.argv)}")


class ScriptedProcess:
    """A program that only pretends."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._exit_code: int | None = None if reply.until else reply.exit_code
        self._terminated = asyncio.Event()

    @property
    def running(self) -> bool:
        until = self._reply.until
        return self._exit_code is None and not (until and until.is_set())

    async def lines(self) -> AsyncIterator[bytes]:
        """See ``Process.lines``."""
        for line in self._reply.stdout:
            yield _bytes(line)
        await self.wait()

    async def chunks(self) -> AsyncIterator[bytes]:
        """See ``Process.chunks``."""
        for chunk in self._reply.stdout:
            yield _bytes(chunk)
        await self.wait()

    async def error_lines(self) -> AsyncIterator[bytes]:
        """See ``Process.error_lines``."""
        for line in self._reply.stderr:
            yield _bytes(line)

    async def wait(self) -> int:
        """See ``Process.wait``."""
        if self._exit_code is None and self._reply.until is not None:
            waits = [
                asyncio.create_task(event.wait()) for event in (self._reply.until, self._terminated)
            ]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in waits:
                    task.cancel()
            self._exit_code = (
                -signal.SIGTERM if self._terminated.is_set() else self._reply.exit_code
            )
        assert self._exit_code is not None
        return self._exit_code

    async def terminate(self, grace: float = GRACE) -> int:  # noqa: ARG002 - ends at once
        """See ``Process.terminate``."""
        self._terminated.set()
        return await self.wait()


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
