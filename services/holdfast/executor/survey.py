"""What is wrong with a repository's objects, and fetching them from where they are right.

By their names alone: the SHA-256 of the content.  So it works with an index that is gone,
where restic could not even begin, and what is fetched is known to be the very same bytes.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence

import msgspec

from holdfast.executor.attempt import Attempt
from holdfast.restic import Restic
from holdfast.restic.commands import index
from holdfast.storage.errors import StorageError
from holdfast.storage.objects import Objects, is_sound, name_in, path_of, transfer
from holdfast.telemetry.logs import Log

log = Log("executor")

AT_ONCE = 4
"""Objects on their way at the same time."""

FOLDERS = ("snapshots", "index", "data")


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What was found."""

    damaged: tuple[str, ...]
    """Paths of objects whose content is not what their name says."""
    missing: tuple[str, ...] = ()
    """Paths of packs that an index names and that are not there."""
    unindexed: bool = False
    """There are packs that no index names."""

    @property
    def wrong(self) -> tuple[str, ...]:
        """All that is to be fetched."""
        return (*self.damaged, *self.missing)


async def survey(attempt: Attempt, objects: Objects) -> Survey:
    """Read every object and compare it with its name.  Missing ones are found afterwards."""
    paths = [
        path_of(folder, name) for folder in FOLDERS for name in sorted(await objects.names(folder))
    ]
    damaged: list[str] = []
    waiting = iter(enumerate(paths, 1))

    async def check() -> None:
        for number, path in waiting:
            if not await _is_sound(objects, path):
                damaged.append(path)
            attempt.progress.tell(number / len(paths), files_done=number, total_files=len(paths))

    await all_at_once(check)
    return Survey(damaged=tuple(damaged))


async def survey_indexes(restic: Restic, objects: Objects, found: Survey) -> Survey:
    """*found* with what its indexes name and what they do not.  Needs the indexes to be sound."""
    packs = set(await objects.names("data"))
    named: set[str] = set()
    for name in await objects.names("index"):
        named.update(await index.run(restic, name))
    missing = tuple(path_of("data", name) for name in sorted(named - packs))
    return msgspec.structs.replace(found, missing=missing, unindexed=bool(packs - named))


async def fetch(paths: Iterable[str], sources: Sequence[Objects], target: Objects) -> set[str]:
    """Bring objects from the first of *sources* that has them whole; those that were brought.

    A damaged one is replaced in one step: until the good one is there, it stays.
    """
    fetched: set[str] = set()
    waiting = iter(list(paths))

    async def bring() -> None:
        for path in waiting:
            for source in sources:
                try:
                    await transfer(source, target, path)
                except StorageError as error:
                    log.info("not_fetched", name=name_in(path), error=str(error))
                    continue
                fetched.add(path)
                break

    await all_at_once(bring)
    return fetched


async def _is_sound(objects: Objects, path: str) -> bool:
    try:
        return await is_sound(objects, path)
    except StorageError as error:
        # A disk that cannot read it back is damage as well.
        log.warning("object_unreadable", name=name_in(path), error=str(error))
        return False


async def all_at_once(work: Callable[[], Coroutine[None, None, None]]) -> None:
    """*work*, several times at once; when one fails, all are over."""
    tasks = [asyncio.create_task(work()) for _ in range(AT_ONCE)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
