"""``backup``: the same paths to every destination, whatever happens at one of them.

With ``copy`` and ``mirror`` the source is read for the first destination that takes it, and
the others get their snapshot from there, all at once.  With ``parallel`` it is read for all
at once, which is quicker where the network is the limit and not the processor.
"""

import asyncio
from collections.abc import Coroutine, Sequence

from msgspec.structs import replace

from holdfast.events.queries import GetSnapshot
from holdfast.events.run import Failure, RunStatus
from holdfast.events.snapshot import Way
from holdfast.events.work import BackupRequested, BackupTarget, FanOut
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.dumps import dumps_of, make_dumps
from holdfast.executor.consistency.environment import keep_environments
from holdfast.executor.consistency.frame import framed
from holdfast.executor.copying import copied_from
from holdfast.executor.domain import (
    CANCELLED,
    Outcome,
    SourcesMissingError,
    TargetOutcome,
    backup_outcome,
    failure_of,
    names_told,
    run_tag,
    seconds_between,
    snapshot_tags,
    target_named,
    where_raised,
)
from holdfast.executor.hold import Reason, StoppedError
from holdfast.executor.listing import list_made
from holdfast.executor.locks import LockWaitError, unless_locked
from holdfast.executor.made import Made, Original, copy_made, made_before, made_of, with_id
from holdfast.executor.manifest import carry_settings
from holdfast.executor.reach import reach, while_mounted
from holdfast.executor.system import system_options
from holdfast.executor.takeover import end_predecessor, snapshot_of_predecessor
from holdfast.executor.telling import tell_completed, tell_failed
from holdfast.executor.there import at_device, missing_paths, with_restic
from holdfast.kernel.errors import HoldfastError
from holdfast.restic import Restic
from holdfast.restic.commands import backup, snapshots
from holdfast.restic.commands.backup import BackupOptions, BackupResult
from holdfast.restic.commands.snapshots import Snapshot, SnapshotsOptions
from holdfast.restic.errors import SourceMissingError
from holdfast.restic.messages import BackupSummary, Status
from holdfast.telemetry.logs import Log

log = Log("executor")


async def run(attempt: Attempt, work: BackupRequested) -> Outcome:
    """Say how it went at each destination as soon as it is known; the outcome is of all."""
    made: list[TargetOutcome] = []
    async with at_device(attempt, work.device) as there:
        outcome = await framed(there, work, lambda: _to_all(there, work, made))
    await carry_settings(attempt, work)
    await list_made(attempt, [each.listable for each in made if each.listable])
    return outcome


async def _to_all(attempt: Attempt, work: BackupRequested, made: list[TargetOutcome]) -> Outcome:
    """What it came to at each destination is in *made* then, too."""
    # Once and before anything is started: it ends whatever bears the mark of this run.
    await attempt.hold.guard(end_predecessor(attempt))
    originals: list[Original] = []
    told = [
        await _told_before(attempt, target, originals)
        for target in work.targets
        if target.snapshot_id in attempt.claim.done_snapshot_ids
    ]
    open_ = [
        each for each in work.targets if each.snapshot_id not in attempt.claim.done_snapshot_ids
    ]
    ends: list[TargetOutcome | LockWaitError] = []
    if work.fan_out is FanOut.PARALLEL:
        originals = []  # each from the source
    else:
        while open_ and not originals:
            ends.append(await _end_of(attempt, work, open_.pop(0), originals))
    ends += await _all_at_once(
        [_end_of(attempt, work, target, list(originals)) for target in open_]
    )
    for end in ends:
        if isinstance(end, LockWaitError):
            # Only now: what was done meanwhile is not done again.
            raise end
        told.append(end)
        made.append(end)
    return backup_outcome(told)


async def _all_at_once(
    ends: Sequence[Coroutine[None, None, TargetOutcome | LockWaitError]],
) -> list[TargetOutcome | LockWaitError]:
    """What all came to; what one raises is raised when none is at work any more."""
    found = []
    for end in await asyncio.gather(*ends, return_exceptions=True):
        if isinstance(end, BaseException) and not isinstance(end, LockWaitError):
            raise end
        found.append(end)
    return found


async def _end_of(
    attempt: Attempt, work: BackupRequested, target: BackupTarget, originals: list[Original]
) -> TargetOutcome | LockWaitError:
    """How it went, or what it waits for: the others get their turn first."""
    try:
        return await _to(attempt, work, target, originals)
    except LockWaitError as locked:
        return locked


async def _told_before(
    attempt: Attempt, target: BackupTarget, originals: list[Original]
) -> TargetOutcome:
    row = await attempt.ask(GetSnapshot(snapshot_id=target.snapshot_id))
    failure = None
    if row.status in (RunStatus.FAILED, RunStatus.CANCELLED):
        failure = Failure(code="backup_failed", message=row.error_message or "It failed.")
    elif row.restic_snapshot_id:
        originals.append(Original(address=target.address, made=made_before(row)))
    return TargetOutcome(
        name=target_named(target),
        status=row.status,
        failure=failure,
        unreadable_count=row.unreadable_count,
        unreadable_files=row.unreadable_files,
    )


async def _to(
    attempt: Attempt, work: BackupRequested, target: BackupTarget, originals: list[Original]
) -> TargetOutcome:
    """Bring the snapshot to one destination and say how it went.  Raises StoppedError only if
    nothing may be said any more, and LockWaitError if nothing can be said yet."""
    began = attempt.deps.now()
    try:
        made = await attempt.hold.guard(
            unless_locked(
                attempt,
                target.address,
                lambda: _make(attempt, work, target, originals),
                exclusive=False,
                beside=[each.address for each in originals],
            )
        )
    except StoppedError as stopped:
        if stopped.reason is not Reason.CANCELLED:
            raise
        return await tell_failed(attempt, work, target, began, CANCELLED, RunStatus.CANCELLED)
    except LockWaitError:
        raise
    except Exception as error:  # noqa: BLE001 - one destination's failure never stops the others
        if not isinstance(error, HoldfastError):
            log.error("backup_crashed", where=where_raised(error))
        failure = failure_of(error, attempt.all_secrets())
        return await tell_failed(attempt, work, target, began, failure, RunStatus.FAILED)
    originals.append(Original(address=target.address, made=made))
    return await tell_completed(attempt, work, target, made)


async def _make(
    attempt: Attempt, work: BackupRequested, target: BackupTarget, originals: Sequence[Original]
) -> Made:
    restic = await reach(attempt, target.address)
    before = await snapshot_of_predecessor(attempt, restic, run_tag(work.run_id))
    if before is not None:
        same = [each for each in originals if before.tree and each.made.tree == before.tree]
        if same:
            return copy_made(same[0].made, before, Way.COPY, 0.0)
        return await _adopt(attempt, work, target, restic, before)
    began = attempt.deps.now()
    _tell(attempt, target, Status())
    dumps = await dumps_of(attempt, work)
    if dumps:
        # First: a snapshot that is told of has them beside it.
        await with_restic(
            attempt, target.address, restic, lambda here: make_dumps(here, work, dumps)
        )
    lacking = await keep_environments(attempt, work, target, restic)
    for original in originals:
        copied = await copied_from(
            attempt, work.fan_out, original.address, original.made, target.address
        )
        if copied is not None:
            snapshot, way = copied
            _tell(attempt, target, _all_of(original.made.summary))
            seconds = seconds_between(began, attempt.deps.now())
            return copy_made(original.made, snapshot, way, seconds)
    return await _back_up(attempt, work, target, restic, lacking)


async def _back_up(
    attempt: Attempt,
    work: BackupRequested,
    target: BackupTarget,
    restic: Restic,
    lacking: tuple[str, ...],
) -> Made:
    """*lacking* is what of the sources could not be read already."""
    options = _options(work)
    if work.system is not None:
        options, lacking = await system_options(attempt, work.system, options)
    else:
        missing = await missing_paths(attempt, work.paths)
        if len(missing) == len(work.paths):
            raise SourcesMissingError(f"None of the paths exists: {names_told(missing)}.")

    def on_progress(status: Status) -> None:
        _tell(attempt, target, status)

    began = attempt.deps.now()
    try:
        async with while_mounted(attempt, target.address):
            result = await with_restic(
                attempt,
                target.address,
                restic,
                lambda here: backup.run(here, options, on_progress=on_progress),
            )
    except SourceMissingError as error:
        raise SourcesMissingError(
            f"None of the paths exists: {names_told(work.paths)}.", detail=error.detail
        ) from error
    result = _without(result, lacking)
    _tell(attempt, target, _all_of(result.summary))
    tree = await _tree_of(work, restic, result.snapshot_id)
    summary = result.summary
    began = summary.backup_start or began
    ended = summary.backup_end or attempt.deps.now()
    # restic's own times, which are in the snapshot as well.
    return made_of(result, began, seconds_between(began, ended), tree)


def _without(result: BackupResult, lacking: tuple[str, ...]) -> BackupResult:
    """*result* as one that lacks something besides what restic could not read."""
    if not lacking:
        return result
    return replace(
        result,
        partial=True,
        unreadable=(*lacking, *result.unreadable),
        unreadable_count=len(lacking) + result.unreadable_count,
    )


async def _tree_of(work: BackupRequested, restic: Restic, snapshot_id: str) -> str:
    """Asked only where there is something to compare it with: it is one more call."""
    if len(work.targets) < 2:
        return ""
    try:
        found = await snapshots.run(restic, SnapshotsOptions(ids=(snapshot_id,)))
    except HoldfastError as error:
        log.warning("tree_not_learned", error=str(error))
        return ""
    return found[0].tree if found else ""


async def _adopt(
    attempt: Attempt, work: BackupRequested, target: BackupTarget, restic: Restic, before: Snapshot
) -> Made:
    """The snapshot of an attempt that died before it could tell of it.

    Which files it could not read died with it; a dry run finds them again without writing.
    """
    log.info("snapshot_adopted", run_id=str(work.run_id), restic_snapshot_id=before.id)
    summary = before.summary or BackupSummary()
    try:
        # What is made in memory was whole when restic had it.
        again = (
            BackupResult(summary=summary)
            if work.system
            else await with_restic(
                attempt,
                target.address,
                restic,
                lambda here: backup.run(here, _options(work, dry_run=True)),
            )
        )
    except HoldfastError as error:
        log.warning("adopted_snapshot_not_compared", error=str(error), detail=error.detail)
        again = BackupResult(summary=summary, partial=True)
    began = summary.backup_start or before.time
    ended = summary.backup_end or began
    found = BackupResult(
        # Snapshots name themselves outside of their summary.
        summary=with_id(summary, before.id),
        partial=again.partial,
        unreadable=again.unreadable,
        unreadable_count=again.unreadable_count,
    )
    return made_of(found, began, seconds_between(began, ended), before.tree)


def _options(work: BackupRequested, *, dry_run: bool = False) -> BackupOptions:
    return BackupOptions(
        paths=work.paths,
        excludes=work.exclude_paths,
        exclude_caches=work.exclude_caches,
        tags=snapshot_tags(work),
        host=work.hostname,
        # Not by tags: the run's own tag is in no earlier snapshot.
        group_by="host,paths",
        dry_run=dry_run,
    )


def _all_of(summary: BackupSummary) -> Status:
    return Status(
        percent_done=1.0,
        total_files=summary.total_files_processed,
        files_done=summary.total_files_processed,
        total_bytes=summary.total_bytes_processed,
        bytes_done=summary.total_bytes_processed,
    )


def _tell(attempt: Attempt, target: BackupTarget, status: Status) -> None:
    attempt.progress.tell(
        status.percent_done,
        destination_id=target.address.destination_id,
        files_done=status.files_done,
        total_files=status.total_files,
        bytes_done=status.bytes_done,
        total_bytes=status.total_bytes,
        current_file=status.current_files[0] if status.current_files else "",
    )
