"""``restore`` to a device behind SSH: restic writes there, on a target that is free.

What exactly would be in the way is not compared file by file over the link: without leave to
overwrite, the target must be an empty directory, or not be there yet.
"""

from holdfast.events.run import RestoreResult, RunStatus
from holdfast.events.work import RestoreRequested
from holdfast.executor.attempt import Attempt, in_thread
from holdfast.executor.domain import Outcome, failure_of
from holdfast.executor.hold import Reason
from holdfast.executor.locks import unless_locked
from holdfast.executor.operations.restore import (
    Begun,
    TargetUnusableError,
    WouldOverwriteError,
    tell,
    wanted_paths,
)
from holdfast.executor.reach import reach
from holdfast.executor.takeover import end_predecessor
from holdfast.executor.there import at_device, with_restic
from holdfast.restic import Restic
from holdfast.restic.commands import restore
from holdfast.restic.commands.restore import Overwrite, RestoreOptions
from holdfast.restic.commands.restore import RestoreResult as Restored
from holdfast.restic.errors import RestoreIncompleteError


async def run(attempt: Attempt, work: RestoreRequested) -> Outcome:
    """Everything is checked first; then either all of it is restored or the rest is named."""
    async with at_device(attempt, work.device) as there:
        return await there.hold.guard(_restore(there, work))


async def _restore(attempt: Attempt, work: RestoreRequested) -> Outcome:
    await end_predecessor(attempt)
    return await unless_locked(
        attempt, work.address, lambda: _from_repository(attempt, work), exclusive=False
    )


async def _from_repository(attempt: Attempt, work: RestoreRequested) -> Outcome:
    restic = await reach(attempt, work.address)
    wanted = await wanted_paths(restic, work)
    begun = Begun(attempt)
    resumes = await in_thread(begun.is_marked)
    await _look_at_target(attempt, work, resumes=resumes)
    await in_thread(begun.mark)
    options = RestoreOptions(
        snapshot=work.restic_snapshot_id,
        target=work.target_path,
        include=wanted,
        overwrite=Overwrite.ALWAYS if work.overwrite or resumes else Overwrite.NEVER,
    )

    async def use(there: Restic) -> Restored:
        return await restore.run(
            there, options, on_progress=lambda status: tell(attempt, work, status)
        )

    try:
        summary = (await with_restic(attempt, work.address, restic, use)).summary
    except RestoreIncompleteError as error:
        failure = failure_of(error, attempt.all_secrets())
        return Outcome(status=RunStatus.PARTIAL, failure=failure)
    finally:
        if attempt.hold.reason not in (Reason.FENCED, Reason.LEAVING):
            begun.clear()
    return Outcome(
        status=RunStatus.SUCCESS,
        result=RestoreResult(
            restored_path=work.target_path,
            files_restored=summary.files_restored,
            bytes_restored=summary.bytes_restored,
        ),
    )


async def _look_at_target(attempt: Attempt, work: RestoreRequested, *, resumes: bool) -> None:
    """Raises TargetUnusableError and WouldOverwriteError."""
    from holdfast.devices.host import TargetState

    assert attempt.host is not None
    state = await attempt.host.target(work.target_path)
    if state is TargetState.OTHER:
        raise TargetUnusableError(f"{work.target_path} is not a directory.")
    if state is TargetState.FULL and not (work.overwrite or resumes):
        raise WouldOverwriteError(
            f"{work.target_path} on the device is not empty, and what is in it might be changed."
        )
