"""What it takes to run a program somewhere: the one port that restic and hooks use."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.secret import Secret

RUN_MARKER = "HOLDFAST_RUN"
"""Environment variable with the run's id in every child, so that a leftover is found by it."""

GRACE = 10.0
"""Seconds that a program has between the request to end and being killed."""


class DeviceLostError(HoldfastError):
    """The connection to the device broke while a program ran there."""

    code = "device_link_lost"
    guidance = "The program there is ended by itself. Check the device's network and power."
    status = 503
    retryable = True


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """One program to start.

    Text that is not UTF-8 is kept as in ``os.fsdecode`` (surrogate escapes).
    """

    argv: Sequence[str]
    run_id: str = ""
    environment: Mapping[str, str] = {}
    secrets: Mapping[str, Secret] = {}
    """Variable name to content.  The program finds in the variable the path of an inherited
    descriptor that reads as the content: the content is in no argument, environment or disk."""
    stdin: bytes | Secret = b""
    """All of standard input; nothing means an empty one."""
    cwd: str | None = None


class Process(Protocol):
    """A program that was started.  Each of the streams may be read once."""

    def lines(self) -> AsyncIterator[bytes]:
        """Lines of standard output, without their newline; the last may lack one."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Standard output as it comes, for content that is no text."""
        ...

    def error_lines(self) -> AsyncIterator[bytes]:
        """Lines of standard error, without their newline."""
        ...

    async def wait(self) -> int:
        """The exit code; negative is the signal that ended it.  The streams must be read too."""
        ...

    async def terminate(self, grace: float = GRACE) -> int:
        """Ask it to end, kill it after *grace* seconds, and return its exit code."""
        ...


class Runner(Protocol):
    """A place where programs run."""

    def start(self, program: Program) -> AbstractAsyncContextManager[Process]:
        """Run *program* for as long as the block lasts.

        However the block is left, by its end, an error or a cancelled task, the program
        is over by then: ended, killed if need be, and reaped.

        Raises ProgramNotFoundError when there is no such program.
        """
        ...


class ProgramNotFoundError(HoldfastError):
    """The program is not installed where it should run."""

    code = "program_not_found"
    guidance = "Install it, or set its path in the settings."


class LeftoverError(HoldfastError):
    """A program that an earlier attempt left behind does not end, even when killed."""

    code = "leftover_program"
    guidance = "It hangs on a disk or network mount: bring that back, or restart the machine."
    retryable = True
