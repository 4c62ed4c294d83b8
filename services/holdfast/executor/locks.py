"""restic's locks: whose they are, which may go, and what it means to wait for one.

Holdfast removes a lock only when its holder is proved dead, one by one, by its name.
restic's own ``unlock`` is not used: it also takes what is older than half an hour, and that
may belong to a laptop that only slept.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec

from holdfast.devices.holders import Life, Sight, look
from holdfast.events.work import DestinationAddress
from holdfast.executor.attempt import Attempt, in_thread
from holdfast.restic.commands import locks
from holdfast.restic.commands.locks import Lock
from holdfast.restic.errors import RepositoryLockedError
from holdfast.telemetry.logs import Log

T = TypeVar("T")
log = Log("executor")

TRIES = 3
"""So often a repository is tried at once, when what locked it was cleared or has gone."""


class LockWaitError(Exception):
    """A living one holds the repository, and there is time to wait for it.

    The run goes back to the queue, so that its slot is free meanwhile.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A lock, and what is known of its holder."""

    lock: Lock
    life: Life
    run_id: str = ""
    """Of the holder, if it is, or was, one of ours."""

    @property
    def told(self) -> str:
        """In words, for a person who looks for it."""
        since = self.lock.time.astimezone(UTC)
        run = f" (run {self.run_id})" if self.run_id else ""
        return f"pid {self.lock.pid} on {self.lock.hostname}{run} since {since:%Y-%m-%d %H:%M} UTC"


async def unless_locked(
    attempt: Attempt,
    address: DestinationAddress,
    use: Callable[[], Awaitable[T]],
    *,
    exclusive: bool,
    beside: Sequence[DestinationAddress] = (),
) -> T:
    """Call *use*; when the repository is locked by a dead one, clear that and call it again.

    *beside*: what *use* only reads from, and which may be what is locked.

    Raises LockWaitError for a living one, and RepositoryLockedError that names it when the
    run has waited too long.
    """
    error = RepositoryLockedError()
    for _ in range(TRIES):
        try:
            return await use()
        except RepositoryLockedError as locked:
            error = locked
        left = await clear_dead(attempt, address)
        in_the_way = hindering(left, exclusive=exclusive)
        for each in beside:
            in_the_way += hindering(await clear_dead(attempt, each), exclusive=False)
        if in_the_way:
            raise _wait_or_fail(attempt, locked_by(in_the_way), error)
    raise _wait_or_fail(attempt, "Locked by one process after the other", error)


async def clear_dead(attempt: Attempt, address: DestinationAddress) -> tuple[Held, ...]:
    """Remove the locks whose holders are proved dead; what is left, oldest first."""
    storage, restic = attempt.storage(address), attempt.restic(address)
    found = [await locks.read(restic, name) for name in await storage.list_locks()]
    if not found:
        return ()
    # After the locks were read: whoever made one was there before we look for it.
    sights = [await in_thread(lambda: look(attempt.deps.notes))]
    if attempt.host is not None:
        sights.append(await attempt.host.sight())
    held = [judged(lock, *sights) for lock in found if lock is not None]
    for each in held:
        if each.life is Life.GONE:
            await storage.delete_lock(each.lock.id)
            log.info("dead_lock_removed", run_id=str(attempt.work.run_id), holder=each.told)
    left = [each for each in held if each.life is not Life.GONE]
    return tuple(sorted(left, key=lambda each: each.lock.time))


def judged(lock: Lock, *sights: Sight) -> Held:
    """What *sights* say of the holder of *lock*.

    Alive counts most: two machines may have the same name, and only one of them has it.
    """
    lives = [sight.life_of(lock.hostname, lock.pid, lock.time) for sight in sights]
    for wanted in (Life.ALIVE, Life.GONE):
        for life, run_id in lives:
            if life is wanted:
                return Held(lock=lock, life=life, run_id=run_id)
    return Held(lock=lock, life=Life.UNKNOWN)


def hindering(left: Sequence[Held], *, exclusive: bool) -> tuple[Held, ...]:
    """Those that stand in the way: any lock of an exclusive user, exclusive ones of all."""
    return tuple(each for each in left if exclusive or each.lock.exclusive)


def locked_by(held: Sequence[Held]) -> str:
    """The reason, in words."""
    more = f" and {len(held) - 1} more" if len(held) > 1 else ""
    return f"Locked by {held[0].told}{more}"


def waited_too_long(since: datetime | None, now: datetime, limit: timedelta) -> bool:
    """Whether a run that waits *since* then (None: only now) is to give up."""
    return now - (since or now) >= limit


def _wait_or_fail(attempt: Attempt, reason: str, error: RepositoryLockedError) -> Exception:
    limit = attempt.deps.lock_wait
    if not waited_too_long(attempt.claim.waiting_since, attempt.deps.now(), limit):
        return LockWaitError(f"{reason}.")
    waited = f", for more than {limit.total_seconds() / 60:.0f} minutes" if limit else ""
    return RepositoryLockedError(
        f"{reason}{waited}.",
        guidance="If that process lives, let it end. If it is dead, run 'restic unlock' there.",
        detail=error.detail,
        exit_code=error.exit_code,
    )
