"""``check``: is the repository whole, and can the data in it be read?

Without restic's lock, which would keep backups out for hours: our own forgets and prunes
are kept away by admission.  What another's prune takes away meanwhile looks like damage, so
nothing counts as damage that is not found twice.
"""

from collections.abc import Iterable

import msgspec

from holdfast.events.run import CheckResult, Failure, RepositoryStats, RunStatus
from holdfast.events.work import CheckRequested
from holdfast.executor.attempt import Attempt
from holdfast.executor.domain import Outcome, failure_of, names_told
from holdfast.executor.measure import measure
from holdfast.executor.reach import reach
from holdfast.executor.takeover import end_predecessor
from holdfast.restic import Restic
from holdfast.restic.commands import check, find
from holdfast.restic.commands.check import CheckOptions, CheckProgress
from holdfast.restic.commands.find import FindOptions
from holdfast.restic.errors import RepositoryDamagedError, ResticError
from holdfast.telemetry.logs import Log

log = Log("executor")


async def run(attempt: Attempt, work: CheckRequested) -> Outcome:
    """Nothing is changed; what was read is told at the end, so a part is read or it is not."""
    return await attempt.hold.guard(_check(attempt, work))


async def _check(attempt: Attempt, work: CheckRequested) -> Outcome:
    await end_predecessor(attempt)
    restic = await reach(attempt, work.address)
    found = [
        await _look_twice(attempt, work, restic, number) for number in range(max(1, len(work.read)))
    ]
    looks = _Looks(found)
    _tell_end(attempt, work, looks)
    hurt = await _hurt(restic, looks)
    stats = await _measured(restic)
    result = CheckResult(
        parts=work.parts,
        read=work.read,
        bytes_read=looks.bytes_read(stats.raw_size if stats else work.repository_size),
        sound=looks.sound,
        damaged_packs=looks.damaged,
        missing_packs=looks.missing,
        restic_snapshot_ids=hurt,
        stats=stats,
    )
    if looks.sound:
        return Outcome(status=RunStatus.SUCCESS, result=result)
    return Outcome(status=RunStatus.FAILED, failure=_failure(attempt, looks, hurt), result=result)


class _Looks:
    """What the looks at all parts came to."""

    def __init__(self, found: list[check.CheckResult]) -> None:
        self._found = found
        self.sound = all(each.sound for each in found)
        self.damaged = _union(each.damaged_packs for each in found)
        self.missing = _union(each.missing_packs for each in found)
        self.trees = _union(each.damaged_trees for each in found)
        self.packs_read = sum(each.packs_read for each in found)
        self.detail = next((each.detail for each in found if not each.sound), "")

    def bytes_read(self, size: int) -> int:
        """About, of *size* bytes in all."""
        packs = max(each.packs_in_repository for each in self._found)
        return size * self.packs_read // packs if packs else 0


async def _look_twice(
    attempt: Attempt, work: CheckRequested, restic: Restic, number: int
) -> check.CheckResult:
    """Look at one part, and again when it seems damaged: the second look counts."""
    part = (work.read[number], work.parts) if work.read else None

    def on_progress(progress: CheckProgress) -> None:
        _tell(attempt, work, number, progress)

    options = CheckOptions(read_part=part, lock=False)
    found = await check.run(restic, options, on_progress=on_progress)
    if not found.sound:
        log.warning("damage_seen", part=part, detail=found.detail)
        found = await check.run(restic, options)
    return found


def _tell(attempt: Attempt, work: CheckRequested, number: int, progress: CheckProgress) -> None:
    packs = max(progress.packs, 1)
    each = work.repository_size // max(progress.packs_in_repository, 1)
    fraction = (number + progress.packs_done / packs) / len(work.read)
    attempt.progress.tell(
        fraction,
        destination_id=work.address.destination_id,
        files_done=progress.packs_done,
        total_files=progress.packs,
        bytes_done=progress.packs_done * each,
        total_bytes=progress.packs * each,
    )


def _tell_end(attempt: Attempt, work: CheckRequested, looks: _Looks) -> None:
    """All of it; a part may have no packs, and restic then says nothing."""
    read = looks.bytes_read(work.repository_size)
    attempt.progress.tell(
        1.0,
        destination_id=work.address.destination_id,
        files_done=looks.packs_read,
        total_files=looks.packs_read,
        bytes_done=read,
        total_bytes=read,
    )


async def _hurt(restic: Restic, looks: _Looks) -> tuple[str, ...]:
    """The snapshots that need what is damaged."""
    packs = looks.damaged + looks.missing
    hurt: tuple[str, ...] = ()
    if packs:
        hurt = await find.run(restic, FindOptions(packs=packs))
    if not hurt and looks.trees:
        # A pack whose table of contents is gone is not found by its name any more.
        hurt = await find.run(restic, FindOptions(trees=looks.trees))
    return hurt


async def _measured(restic: Restic) -> RepositoryStats | None:
    """None when that fails, for damage above all: what the check found counts all the same."""
    try:
        return await measure(restic)
    except ResticError as error:
        log.warning("not_measured", error=str(error))
        return None


def _failure(attempt: Attempt, looks: _Looks, hurt: tuple[str, ...]) -> Failure:
    packs = [pack[:8] for pack in looks.damaged + looks.missing]
    what = f"Damaged or missing packs: {names_told(packs)}." if packs else "Its index is damaged."
    snapshots = names_told([each[:8] for each in hurt])
    whom = f"Snapshots that need them: {snapshots}." if hurt else "restic names no snapshots."
    failure = failure_of(RepositoryDamagedError(detail=looks.detail), attempt.all_secrets())
    return msgspec.structs.replace(failure, message=f"{failure.message} {what} {whom}")


def _union(names: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each for some in names for each in some))
