"""Running restic: one call in, lines out, and an error that says what happened."""

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import msgspec

from holdfast.devices.base import Process, Program, Runner
from holdfast.kernel.secret import Secret
from holdfast.restic.environment import arguments_of, environment_of, secrets_of
from holdfast.restic.errors import ResticOutputError, error_of
from holdfast.restic.messages import ErrorMessage, ExitError, Message, Reader
from holdfast.restic.repository import Repository

TAIL_LINES = 25
TAIL_LINE_LENGTH = 2_000

TRACE = re.compile(r"^\S+\n\t\S+\.(?:go|s):\d+$\n?", re.MULTILINE)
"""A step of where in its own code restic was: two lines, which would push out what it says."""
MAX_NAMES = 100

OnMessage = Callable[[Message], None]
OnLine = Callable[[bytes], None]


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """How a call ended.  What may be long is bounded, and counted beside."""

    exit_code: int
    tail: tuple[str, ...] = ()
    """restic's last words on standard error, oldest first."""
    items: tuple[str, ...] = ()
    """Files that restic named in errors, the first hundred."""
    item_count: int = 0
    stdout: tuple[bytes, ...] = ()
    """Lines of standard output that were not consumed as messages."""

    @property
    def detail(self) -> str:
        """The tail as one text."""
        return "\n".join(self.tail)


class ErrorLog:
    """Gathers standard error without growing: a tail, and the names of unreadable files."""

    def __init__(self, on_line: OnLine | None = None) -> None:
        self._on_line = on_line
        self._reader = Reader()
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._items: dict[str, None] = {}
        self.item_count = 0

    def feed(self, line: bytes) -> None:
        """Take in one line."""
        if self._on_line is not None:
            self._on_line(line)
        match self._reader.read(line):
            case ErrorMessage() as error:
                # What fails in the scan fails again when it is read, and is named then.
                if error.item and error.during != "scan":
                    self._name(error.item)
                self._keep(error.text)
            case ExitError() as error:
                self._keep(error.message)
            case _:
                text = line.decode(errors="backslashreplace")
                # A missing source is told in plain words even with --json.
                name, skipped, _ = text.partition(" does not exist, skipping")
                if skipped:
                    self._name(name)
                self._keep(text)

    def finished(self, exit_code: int, stdout: Sequence[bytes] = ()) -> Finished:
        """What was gathered."""
        return Finished(
            exit_code=exit_code,
            tail=tuple(self._tail),
            items=tuple(self._items),
            item_count=self.item_count,
            stdout=tuple(stdout),
        )

    def _name(self, item: str) -> None:
        if item in self._items:
            return
        self.item_count += 1
        if len(self._items) < MAX_NAMES:
            self._items[item] = None

    def _keep(self, text: str) -> None:
        for line in TRACE.sub("", text).strip().splitlines():
            if line.strip():
                self._tail.append(line[:TAIL_LINE_LENGTH])


class Running:
    """A call to restic that has not ended yet."""

    def __init__(self, process: Process, log: ErrorLog, reading: asyncio.Task[None]) -> None:
        self._process = process
        self._log = log
        self._reading = reading

    def lines(self) -> AsyncIterator[bytes]:
        """Lines of standard output, to be read once."""
        return self._process.lines()

    def chunks(self) -> AsyncIterator[bytes]:
        """Standard output as it comes, to be read once and not beside ``lines``."""
        return self._process.chunks()

    async def finish(self) -> Finished:
        """Wait for the end.  Standard output must have been read to its end."""
        await self._reading
        return self._log.finished(await self._process.wait())


class Restic:
    """restic, for one repository, on one machine, in the name of one run.

    Every call is its own process, and is over when the call returns: a cancelled task
    ends its restic, which takes its lock away before it goes.  restic waits up to
    *retry_lock* for the lock of another.
    """

    def __init__(
        self,
        binary: Path | str,
        runner: Runner,
        repository: Repository,
        *,
        run_id: str = "",
        retry_lock: timedelta | None = None,
    ) -> None:
        self.binary = str(binary)
        self.runner = runner
        self.repository = repository
        self.run_id = run_id
        self.retry_lock = retry_lock

    @contextlib.asynccontextmanager
    async def start(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes | Secret = b"",
        cwd: str | None = None,
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, Secret] | None = None,
        on_error_line: OnLine | None = None,
        before: Sequence[str] = (),
    ) -> AsyncIterator[Running]:
        """Run restic with *argv* while the block lasts; *before* are words of a program that is
        to start it."""
        program = Program(
            argv=(*before, self.binary, *self._global_arguments(), *argv),
            run_id=self.run_id,
            environment={**environment_of(self.repository), **(environment or {})},
            secrets={**(secrets or {}), **secrets_of(self.repository)},
            stdin=stdin,
            cwd=cwd,
        )
        log = ErrorLog(on_error_line)
        async with self.runner.start(program) as process:
            reading = asyncio.create_task(_feed(log, process))
            try:
                yield Running(process, log, reading)
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def run(
        self,
        argv: Sequence[str],
        *,
        accept: Collection[int] = (0,),
        summary: type[Message] = Message,
        on_message: OnMessage | None = None,
        stdin: bytes | Secret = b"",
        cwd: str | None = None,
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, Secret] | None = None,
        on_error_line: OnLine | None = None,
    ) -> Finished:
        """Run restic with *argv* to its end.

        With *on_message* every message goes there, and only other lines are kept.  Raises
        the ResticError that fits when the exit code is not in *accept*.
        """
        reader = Reader(summary)
        kept: list[bytes] = []
        started = self.start(
            argv,
            stdin=stdin,
            cwd=cwd,
            environment=environment,
            secrets=secrets,
            on_error_line=on_error_line,
        )
        async with started as running:
            async for line in running.lines():
                message = reader.read(line) if on_message is not None else None
                if message is None or on_message is None:
                    kept.append(line)
                else:
                    on_message(message)
            finished = await running.finish()
        if finished.exit_code not in accept:
            raise error_of(finished.exit_code, finished.tail)
        return msgspec.structs.replace(finished, stdout=tuple(kept))

    def _global_arguments(self) -> tuple[str, ...]:
        argv = ("--json", *arguments_of(self.repository))
        if self.retry_lock is None:
            return argv
        return (*argv, "--retry-lock", f"{self.retry_lock.total_seconds():g}s")


Answer = TypeVar("Answer")


def decode(lines: Sequence[bytes], kind: type[Answer]) -> Answer:
    """The one JSON document that *lines* are.  Raises ResticOutputError when they are not."""
    document = b"\n".join(lines)
    try:
        return msgspec.json.decode(document, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        detail = f"{error}: {document[:500].decode(errors='backslashreplace')}"
        raise ResticOutputError(detail=detail) from error


async def _feed(log: ErrorLog, process: Process) -> None:
    async for line in process.error_lines():
        log.feed(line)
