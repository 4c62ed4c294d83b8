"""Carrying what is new in one repository over to another, object by object, as it is.

Only ever a head start: the snapshot itself is brought over by restic, which looks for
everything that it needs and copies what is still missing.  So what is carried too little
costs time, and what is carried too much is removed by the next prune; neither can leave a
snapshot without its data.  The decision on several destinations says what is carried, and
why nothing is lost however it is interrupted.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Protocol

from holdfast.events.work import DestinationAddress
from holdfast.executor.attempt import Attempt
from holdfast.executor.siblings import family_of
from holdfast.executor.survey import all_at_once
from holdfast.restic.commands import index
from holdfast.restic.commands.hold import Held, shared_lock
from holdfast.storage.objects import (
    ObjectDamagedError,
    ObjectMissingError,
    Objects,
    path_of,
    transfer,
)
from holdfast.telemetry.logs import Log

log = Log("executor")

SLACK = timedelta(seconds=2)
"""Storages round their times."""


class Copyable(Protocol):
    """A snapshot that was made, and how long that took."""

    @property
    def snapshot_id(self) -> str: ...

    @property
    def seconds(self) -> float: ...


async def mirror(
    attempt: Attempt, source: DestinationAddress, made: Copyable, target: DestinationAddress
) -> bool:
    """Carry what *source* has gained by the snapshot that was *made* over to *target*.

    False: they are no family, and nothing was carried.  Raises RepositoryLockedError when
    somebody uses *target* alone, and whatever goes wrong at one of the storages.
    """
    async with attempt.objects(source) as here, attempt.objects(target) as there:
        if await family_of(attempt, source, here) != await family_of(attempt, target, there):
            return False
        indexes = await _new_indexes(here, there, made)
        restic = attempt.restic(source)
        named = {each: await index.run(restic, each) for each in indexes}
        if named:
            # Without the lock a prune could take a pack away, as one that no index names, just
            # before its index comes.
            async with shared_lock(attempt.restic(target)) as held:
                await _carry(here, there, named, held)
    return True


async def _new_indexes(here: Objects, there: Objects, made: Copyable) -> list[str]:
    """Those that *there* has not, written while the snapshot was made and before it was.

    Both times are the storage's own, so nobody's clock needs to be right.
    """
    snapshot = (await here.names("snapshots")).get(made.snapshot_id)
    if snapshot is None:
        return []
    since = snapshot.modified_at - timedelta(seconds=made.seconds) - SLACK
    known = await there.names("index")
    found = await here.names("index")
    return [name for name, each in found.items() if each.modified_at >= since and name not in known]


async def _carry(
    here: Objects, there: Objects, named: dict[str, tuple[str, ...]], held: Held
) -> None:
    """The packs first; an index only when all that it names are there."""
    packs = dict.fromkeys(pack for packs in named.values() for pack in packs)
    lost = await _transfer_all(here, there, "data", packs)
    whole = [name for name, packs in named.items() if not lost.intersection(packs)]
    held.insist()
    await _transfer_all(here, there, "index", whole)
    log.info("mirrored", packs=len(packs) - len(lost), indexes=len(whole), lost=len(lost))


async def _transfer_all(
    here: Objects, there: Objects, folder: str, names: Iterable[str]
) -> frozenset[str]:
    """Carry over what is not there yet; what is missing, or not whole, where it should come from.

    What is there was verified when it was written: it appears whole or not at all.
    """
    lost: set[str] = set()
    waiting = iter(names)

    async def carry() -> None:
        for name in waiting:
            path = path_of(folder, name)
            try:
                if await there.size(path) is None:
                    await transfer(here, there, path)
            except (ObjectMissingError, ObjectDamagedError) as error:
                log.warning("object_not_mirrored", name=name, error=str(error))
                lost.add(name)

    await all_at_once(carry)
    return frozenset(lost)
