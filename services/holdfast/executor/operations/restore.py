"""``restore``: bring files back below a path, and never in place of what is there unless told.

The quickest sound destination that has the content is asked first.  When it fails, the next goes
on where that one stopped: what is in place is not written again, and what is half written is.
"""

from collections.abc import Awaitable, Callable, Sequence

from msgspec.structs import replace

from holdfast.events.restoring import RestoreMode
from holdfast.events.run import RestoreResult, RunStatus
from holdfast.events.work import RestoreRequested, RestoreSource
from holdfast.executor.attempt import Attempt, in_thread
from holdfast.executor.begun import Begun
from holdfast.executor.domain import Outcome, names_told
from holdfast.executor.hold import Reason
from holdfast.executor.locks import LockWaitError, unless_locked
from holdfast.executor.obstacles import Obstacles, Target, obstacles
from holdfast.executor.planning import Planned, folders_of
from holdfast.executor.reach import reach
from holdfast.executor.sources import SOURCE_FAULTS, Tried, is_targets_fault
from holdfast.executor.takeover import end_predecessor
from holdfast.executor.there import at_device, with_restic
from holdfast.kernel.errors import HoldfastError
from holdfast.restic import Restic
from holdfast.restic.commands import ls, restore, snapshots
from holdfast.restic.commands.ls import LsOptions
from holdfast.restic.commands.restore import Overwrite, RestoreOptions
from holdfast.restic.commands.restore import RestoreResult as Restored
from holdfast.restic.commands.snapshots import SnapshotsOptions
from holdfast.restic.errors import RestoreIncompleteError, SnapshotNotFoundError
from holdfast.restic.messages import Status

UNKNOWN_BYTE = "\N{REPLACEMENT CHARACTER}"

OVERWRITES = {
    RestoreMode.NEVER: Overwrite.NEVER,
    RestoreMode.IF_CHANGED: Overwrite.IF_CHANGED,
    RestoreMode.IF_NEWER: Overwrite.IF_NEWER,
    RestoreMode.ALWAYS: Overwrite.ALWAYS,
}


class FilesNotInSnapshotError(HoldfastError):
    """The snapshot has no such files."""

    code = "files_not_in_snapshot"
    guidance = "Nothing was restored. Name the paths exactly as the snapshot lists them."
    status = 422


class WouldOverwriteError(HoldfastError):
    """Files that are there would be changed."""

    code = "would_overwrite"
    guidance = "Nothing was restored. Choose an empty target_path, or allow it with a mode."
    status = 409


class TargetUnusableError(HoldfastError):
    """The target of a restore is not a directory."""

    code = "target_unusable"
    guidance = "Nothing was restored. Name a directory, or one that does not exist yet."
    status = 422


class RestoreBrokenOffError(HoldfastError):
    """A restore in mode ``if_newer`` stopped midway: what is half written looks new."""

    code = "restore_broken_off"
    guidance = (
        "Some of the files may be half written. Restore again with mode always, which finds "
        "them, and replaces files that are newer than the snapshot's too."
    )
    status = 409


async def run(attempt: Attempt, work: RestoreRequested) -> Outcome:
    """Everything is checked first; then either all of it is restored or the rest is named."""
    async with at_device(attempt, work.device) as there:
        return await there.hold.guard(_restore(there, work))


async def _restore(attempt: Attempt, work: RestoreRequested) -> Outcome:
    await end_predecessor(attempt)
    begun = Begun(attempt)
    try:
        outcome = await _from_any(attempt, work, begun)
    except LockWaitError:
        raise  # it is taken up again
    except BaseException:
        if attempt.hold.reason not in (Reason.FENCED, Reason.LEAVING):
            begun.clear()
        raise
    begun.clear()
    return outcome


async def _from_any(attempt: Attempt, work: RestoreRequested, begun: Begun) -> Outcome:
    """From the first source that can.  Raises as ``Tried.outcome`` when none can."""
    first = RestoreSource(address=work.address, restic_snapshot_id=work.restic_snapshot_id)
    tried = Tried(attempt)
    for source in (first, *work.others):

        def use(source: RestoreSource = source) -> Awaitable[Outcome]:
            return _from(attempt, work, source, begun)

        try:
            outcome = await unless_locked(attempt, source.address, use, exclusive=False)
        except (*SOURCE_FAULTS, LockWaitError) as error:
            tried.add(source, error)
            # By their time, files that this one half wrote look as new as the snapshot's.
            unfinished = isinstance(error, RestoreIncompleteError)
            if is_targets_fault(error) or (unfinished and work.mode is RestoreMode.IF_NEWER):
                break
            continue
        if isinstance(outcome.result, RestoreResult):
            result = replace(outcome.result, failed_sources=tried.failed)
            return replace(outcome, result=result)
        return outcome
    return tried.outcome(dry_run=work.dry_run)


async def _from(
    attempt: Attempt, work: RestoreRequested, source: RestoreSource, begun: Begun
) -> Outcome:
    restic = await reach(attempt, source.address)
    wanted = await wanted_paths(restic, source.restic_snapshot_id, work.files)
    resumes = await in_thread(begun.is_marked)
    if resumes and work.mode is RestoreMode.IF_NEWER:
        raise RestoreBrokenOffError
    in_the_way = Obstacles()
    if work.mode is RestoreMode.NEVER and not resumes:
        in_the_way = await _in_the_way(attempt, work, source, restic, wanted)
        if in_the_way.count and not work.dry_run:
            names = names_told(in_the_way.names, in_the_way.count)
            raise WouldOverwriteError(f"These would be changed: {names}.")
    else:
        await _check_target(attempt, work)
    options = RestoreOptions(
        snapshot=source.restic_snapshot_id,
        target=work.target_path,
        include=wanted,
        overwrite=_overwrite(work, resumes=resumes),
        verify=work.verify and not work.dry_run,
        sparse=work.sparse,
        dry_run=work.dry_run,
    )
    if work.dry_run:
        return await _plan(attempt, work, source, restic, options, in_the_way)
    await in_thread(begun.mark)
    return await _write(attempt, work, source, restic, options)


def _overwrite(work: RestoreRequested, *, resumes: bool) -> Overwrite:
    """restic's word for the mode.

    What we half wrote ourselves must be written again.  It may have its right size and time
    already, so its content must be looked at; as it must when all of it is to be verified, for
    restic reads again only what it wrote.
    """
    compares = resumes or (work.verify and work.mode is RestoreMode.IF_CHANGED)
    if compares and work.mode is not RestoreMode.IF_NEWER:
        return Overwrite.ALWAYS
    return OVERWRITES[work.mode]


async def _plan(
    attempt: Attempt,
    work: RestoreRequested,
    source: RestoreSource,
    restic: Restic,
    options: RestoreOptions,
    in_the_way: Obstacles,
) -> Outcome:
    folders = await folders_of(restic, source.restic_snapshot_id, options.include)
    planned = Planned(folders)
    await _run(
        attempt,
        source,
        restic,
        lambda here: restore.run(here, options, on_action=planned.add),
    )
    return Outcome(
        status=RunStatus.SUCCESS,
        result=RestoreResult(
            restored_path=work.target_path,
            files_restored=0,
            bytes_restored=0,
            destination_id=source.address.destination_id,
            plan=planned.plan(in_the_way),
        ),
    )


async def _write(
    attempt: Attempt,
    work: RestoreRequested,
    source: RestoreSource,
    restic: Restic,
    options: RestoreOptions,
) -> Outcome:
    def on_progress(status: Status) -> None:
        attempt.progress.tell_restored(status, source.address.destination_id)

    if attempt.host is None:
        await in_thread(Target(work.target_path).make)
    done = await _run(
        attempt,
        source,
        restic,
        lambda here: restore.run(here, options, on_progress=on_progress),
    )
    summary = done.summary
    whole = Status(
        percent_done=1.0,
        files_restored=summary.total_files,
        total_files=summary.total_files,
        bytes_restored=summary.total_bytes,
        total_bytes=summary.total_bytes,
    )
    attempt.progress.tell_restored(whole, source.address.destination_id)
    return Outcome(
        status=RunStatus.SUCCESS,
        result=RestoreResult(
            restored_path=work.target_path,
            files_restored=summary.files_restored,
            bytes_restored=summary.bytes_restored,
            destination_id=source.address.destination_id,
            verified=options.verify,
        ),
    )


async def _run(
    attempt: Attempt,
    source: RestoreSource,
    restic: Restic,
    use: Callable[[Restic], Awaitable[Restored]],
) -> Restored:
    """Where the files go: a restore only reads, so that no relay is needed on this machine."""
    if attempt.host is None:
        return await use(restic)

    async def there(far: Restic) -> Restored:
        return await use(far)

    return await with_restic(attempt, source.address, restic, there)


async def _check_target(attempt: Attempt, work: RestoreRequested) -> bool:
    """Whether there is something at the target.  Raises TargetUnusableError."""
    if attempt.host is None:
        target = Target(work.target_path)
        is_usable, holds = await in_thread(lambda: (target.may_be_directory(), target.is_full()))
    else:
        from holdfast.devices.host import TargetState

        state = await attempt.host.target(work.target_path)
        is_usable, holds = state is not TargetState.OTHER, state is TargetState.FULL
    if not is_usable:
        raise TargetUnusableError(f"{work.target_path} is not a directory.")
    return holds


async def _in_the_way(
    attempt: Attempt,
    work: RestoreRequested,
    source: RestoreSource,
    restic: Restic,
    wanted: Sequence[str],
) -> Obstacles:
    """What would be changed.  What exactly it is on a device is not compared file by file over
    the link: there the target must be an empty directory, or not be there yet."""
    if not await _check_target(attempt, work):
        return Obstacles()
    if attempt.host is not None:
        return Obstacles(names=[f"{work.target_path} on the device, which is not empty"], count=1)
    return await obstacles(restic, source.restic_snapshot_id, wanted, Target(work.target_path))


async def wanted_paths(restic: Restic, snapshot: str, files: Sequence[str]) -> tuple[str, ...]:
    """The paths to restore: those asked for, or all that was backed up.

    Always named, because restic then walks through a symbolic link above them, where for
    a whole snapshot it would put a directory in the link's place.  Raises
    SnapshotNotFoundError and FilesNotInSnapshotError.
    """
    if not files:
        found = await snapshots.run(restic, SnapshotsOptions(ids=(snapshot,)))
        if not found:
            raise SnapshotNotFoundError
        return () if "/" in found[0].paths else found[0].paths
    named = tuple(dict.fromkeys(path.rstrip("/") or "/" for path in files))
    lost = await _not_in_snapshot(restic, snapshot, named)
    if lost:
        raise FilesNotInSnapshotError(f"Not in the snapshot: {names_told(lost)}.")
    return () if "/" in named else named


async def _not_in_snapshot(
    restic: Restic, snapshot: str, files: tuple[str, ...]
) -> tuple[str, ...]:
    missing = dict.fromkeys(path for path in files if path != "/")
    listable = [path for path in missing if path.startswith("/")]
    if not listable:
        return tuple(missing)
    # A name that restic cannot print cannot be looked up by it either: look at all of them.
    odd = any(UNKNOWN_BYTE in path for path in listable)
    options = LsOptions(snapshot=snapshot, paths=() if odd else tuple(listable))
    async with ls.open_stream(restic, options) as nodes:
        async for node in nodes:
            missing.pop(node.path, None)
            if not missing:
                break
    return tuple(missing)
