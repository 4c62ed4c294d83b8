"""``heal``: repair a repository with what its siblings have.

First object by object: a damaged or missing one is fetched, as it was, from a sibling with
the same master key.  Where none has it, restic takes what is whole out of the damaged pack,
and snapshots that lack something are copied anew from a sibling: equal content has equal
ids, so the copy brings just what is missing, and the old snapshot is whole again.

Nothing is given up before its replacement is there: a damaged object is replaced in one
step or set aside, never deleted, and a check has the last word.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from holdfast.events.run import Failure, HealResult, RunStatus
from holdfast.events.work import DestinationAddress, HealRequested
from holdfast.executor.attempt import Attempt
from holdfast.executor.domain import Outcome
from holdfast.executor.locks import unless_locked
from holdfast.executor.mending import Sibling, mend_snapshots
from holdfast.executor.reach import as_source, reach
from holdfast.executor.siblings import family_of
from holdfast.executor.survey import Survey, fetch, survey, survey_indexes
from holdfast.executor.takeover import end_predecessor
from holdfast.kernel.errors import HoldfastError
from holdfast.restic import Restic
from holdfast.restic.commands import check, repair
from holdfast.restic.commands.check import CheckOptions
from holdfast.storage.objects import Objects, is_sound, name_in
from holdfast.telemetry.logs import Log

log = Log("executor")

NAMED = 100
"""So many are named in a result."""


async def run(attempt: Attempt, work: HealRequested) -> Outcome:
    """Interrupted anywhere, it can be done again, and goes on from what is there."""
    return await attempt.hold.guard(_heal(attempt, work))


async def _heal(attempt: Attempt, work: HealRequested) -> Outcome:
    await end_predecessor(attempt)
    restic = await reach(attempt, work.address)
    async with AsyncExitStack() as open_ones:
        objects = await open_ones.enter_async_context(attempt.objects(work.address))
        siblings = await _siblings(attempt, work, restic, objects, open_ones)
        # What an attempt that died had put out of the way for a moment.
        for path in await objects.aside():
            if path.startswith("snapshots/") and await objects.size(path) is None:
                await objects.put_back(path)
                if not await is_sound(objects, path):
                    await objects.set_aside(path)
        result = await _mend_objects(attempt, work, restic, objects, siblings)
        mended = await mend_snapshots(attempt, work.address, restic, objects, siblings)
    result = msgspec.structs.replace(
        result,
        snapshots_restored=mended.restored,
        replaced=mended.replaced,
        lost_snapshots=mended.lost[:NAMED],
    )
    return await _proved(attempt, work, restic, result)


async def _siblings(
    attempt: Attempt,
    work: HealRequested,
    mine: Restic,
    objects: Objects,
    open_ones: AsyncExitStack,
) -> list[Sibling]:
    """Those that answer; one that does not is passed over."""
    family = await family_of(attempt, work.address, objects)
    found = []
    for address in work.siblings:
        try:
            restic = await reach(attempt, address)
            theirs = await _objects_of_family(attempt, address, family, open_ones)
            restic = await open_ones.enter_async_context(as_source(attempt, address, restic, mine))
        except HoldfastError as error:
            log.warning("sibling_away", name=address.name, error=str(error))
            continue
        found.append(Sibling(address=address, restic=restic, objects=theirs))
    return found


async def _objects_of_family(
    attempt: Attempt, address: DestinationAddress, family: bytes, open_ones: AsyncExitStack
) -> Objects | None:
    """Its objects, if they fit here: None when they are sealed with another master key."""
    theirs = await open_ones.enter_async_context(attempt.objects(address))
    return theirs if await family_of(attempt, address, theirs) == family else None


async def _mend_objects(
    attempt: Attempt,
    work: HealRequested,
    restic: Restic,
    objects: Objects,
    siblings: Sequence[Sibling],
) -> HealResult:
    sources = [each.objects for each in siblings if each.objects is not None]
    found = await survey(attempt, objects)
    fetched = await fetch(found.damaged, sources, objects)
    lost = [path for path in found.damaged if path not in fetched]
    for path in lost:
        # restic does not open a repository with a damaged index or snapshot in it.
        if not path.startswith("data/"):
            await objects.set_aside(path)
    found = await survey_indexes(restic, objects, found)
    fetched |= await fetch(found.missing, sources, objects)
    lost = [path for path in found.wrong if path not in fetched]
    await _leave_out(attempt, work, restic, found, lost)
    return HealResult(objects_restored=len(fetched), lost_objects=tuple(sorted(lost))[:NAMED])


async def _leave_out(
    attempt: Attempt, work: HealRequested, restic: Restic, found: Survey, lost: Sequence[str]
) -> None:
    """Have the index name just what is there: a backup would rely on what it names."""
    broken = tuple(name_in(path) for path in lost if path in found.damaged and "data/" in path)
    keep_in = Path(attempt.deps.cache) / "set-aside" / str(work.address.destination_id)
    keep_in.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def leave_out() -> None:
        if lost or found.unindexed:
            await repair.repair_index(restic)
        if broken:
            await repair.repair_packs(restic, broken, keep_in=str(keep_in))

    await unless_locked(attempt, work.address, leave_out, exclusive=True)


async def _proved(
    attempt: Attempt, work: HealRequested, restic: Restic, result: HealResult
) -> Outcome:
    """What a check that reads every byte says of it."""
    found = await unless_locked(
        attempt,
        work.address,
        lambda: check.run(restic, CheckOptions(read_part=(1, 1))),
        exclusive=True,
    )
    if found.sound and not result.lost_snapshots:
        return Outcome(status=RunStatus.SUCCESS, result=result)
    if result.lost_snapshots:
        failure = Failure(
            code="snapshots_lost",
            message=f"{len(result.lost_snapshots)} snapshots are not whole, and no other "
            "destination has what they lack.",
            guidance="All others are whole. The next backup stores again what is still at "
            "the source.",
            detail=found.detail,
        )
    else:
        failure = Failure(
            code="not_healed",
            message="A check still finds errors in the repository.",
            guidance="Its words are in the detail.",
            detail=found.detail,
        )
    return Outcome(status=RunStatus.PARTIAL, failure=failure, result=result)
