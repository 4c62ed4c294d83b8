"""restic's locks that dead processes left behind."""

import socket
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from holdfast.events.work import DestinationAddress
from holdfast.executor.attempt import Attempt
from holdfast.restic import Restic
from holdfast.restic.commands import locks, unlock
from holdfast.restic.commands.locks import Lock
from holdfast.restic.errors import RepositoryLockedError
from holdfast.telemetry.logs import Log

T = TypeVar("T")
log = Log("executor")

STALE = timedelta(minutes=30)
"""restic's own rule: a living lock is renewed every five minutes."""


async def unless_locked(
    attempt: Attempt, address: DestinationAddress, use: Callable[[Restic], Awaitable[T]]
) -> T:
    """Call *use*; when the repository is locked, clear the lock of a dead one, and wait for a
    living one.  Raises RepositoryLockedError when that takes too long."""
    restic = attempt.restic(address)
    try:
        return await use(restic)
    except RepositoryLockedError:
        await clear_dead(restic, attempt.deps.now())
    return await use(attempt.restic(address, retry_lock=attempt.deps.lock_patience))


async def clear_dead(restic: Restic, now: datetime) -> None:
    """Remove stale locks, if there are any that nobody alive can hold."""
    present = await locks.run(restic)
    dead = [lock for lock in present if is_dead(lock, socket.gethostname(), now, _alive)]
    if dead:
        log.info("dead_locks_removed", run_id=restic.run_id, count=len(dead))
        await unlock.run(restic)


def is_dead(lock: Lock, host: str, now: datetime, alive: Callable[[int], bool]) -> bool:
    """Whether the process that made *lock* is gone: seen to be, or silent for too long."""
    if lock.hostname == host and not alive(lock.pid):
        return True
    return now - lock.time > STALE


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
