"""Holding restic's shared lock while something is done to the repository without restic.

restic itself holds it: a backup whose data never comes.  So the lock is a real one, made,
refreshed and removed by restic, and it ends with the process that holds it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from holdfast.restic.errors import ResticError, error_of
from holdfast.restic.process import Finished, Restic, Running

SIGN = "holdfast-holds-the-lock"


class LockLostError(ResticError):
    """The lock on the repository was lost."""

    code = "lock_lost"
    guidance = "It is tried again with the next run."
    retryable = True


class Held:
    """A lock that is held."""

    def __init__(self, watching: asyncio.Task[Finished]) -> None:
        self._watching = watching

    def insist(self) -> None:
        """Raise LockLostError when it is not held any more."""
        if self._watching.done():
            raise LockLostError


def argv() -> tuple[str, ...]:
    """restic's arguments.  A command that fails makes no snapshot, and this one never ends well:
    it is ended by a signal, or there is no such program."""
    wait = f"echo {SIGN} >&2; exec sleep infinity"
    return ("backup", "--stdin-from-command", "--", "sh", "-c", wait)


@asynccontextmanager
async def shared_lock(restic: Restic) -> AsyncIterator[Held]:
    """Nobody prunes the repository while the block lasts; backups go on beside it.

    Raises RepositoryLockedError when somebody uses the repository alone.
    """
    signed = asyncio.Event()

    def on_error_line(line: bytes) -> None:
        if SIGN.encode() in line:
            signed.set()

    async with restic.start(argv(), on_error_line=on_error_line) as running:
        watching = asyncio.create_task(_to_its_end(running))
        waiting = asyncio.create_task(signed.wait())
        try:
            await asyncio.wait((watching, waiting), return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                finished = watching.result()
                raise error_of(finished.exit_code, finished.tail)
            yield Held(watching)
        finally:
            waiting.cancel()
            watching.cancel()
            await asyncio.gather(waiting, watching, return_exceptions=True)


async def _to_its_end(running: Running) -> Finished:
    async for _ in running.lines():
        pass
    return await running.finish()
