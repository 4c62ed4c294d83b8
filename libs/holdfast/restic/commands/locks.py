"""``restic list locks`` and ``cat lock``: who holds the repository.  Work beside any lock."""

from datetime import datetime

import msgspec

from holdfast.restic.errors import ResticError
from holdfast.restic.process import Restic, decode


class _Content(msgspec.Struct, frozen=True, kw_only=True):
    time: datetime
    exclusive: bool = False
    hostname: str = ""
    username: str = ""
    pid: int = 0


class Lock(_Content, frozen=True, kw_only=True):
    """A lock in the repository, under restic's own names."""

    id: str


def list_argv() -> tuple[str, ...]:
    """restic's arguments for the ids."""
    return ("list", "locks", "--no-lock")


def cat_argv(lock_id: str) -> tuple[str, ...]:
    """restic's arguments for one lock."""
    return ("cat", "--no-lock", "lock", lock_id)


async def run(restic: Restic) -> tuple[Lock, ...]:
    """The locks, oldest first.  One that vanishes meanwhile is passed over."""
    listed = await restic.run(list_argv())
    locks: list[Lock] = []
    for lock_id in (line.decode().strip() for line in listed.stdout):
        if not lock_id:
            continue
        lock = await read(restic, lock_id)
        if lock is not None:
            locks.append(lock)
    return tuple(sorted(locks, key=lambda lock: lock.time))


async def read(restic: Restic, lock_id: str) -> Lock | None:
    """One lock; None when it is gone."""
    try:
        content = decode((await restic.run(cat_argv(lock_id))).stdout, _Content)
    except ResticError as error:
        if await _still_there(restic, lock_id):
            raise error
        return None
    return Lock(id=lock_id, **msgspec.structs.asdict(content))


async def _still_there(restic: Restic, lock_id: str) -> bool:
    listed = await restic.run(list_argv())
    return lock_id.encode() in listed.stdout
