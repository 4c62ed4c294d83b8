"""``list_files``: tell the catalog which files a snapshot has."""

from holdfast.events.run import ListFilesResult, RunStatus
from holdfast.events.work import ListFilesRequested
from holdfast.executor.attempt import Attempt
from holdfast.executor.domain import Listable, Outcome
from holdfast.executor.listing import tell_files
from holdfast.executor.locks import unless_locked
from holdfast.executor.reach import reach
from holdfast.executor.takeover import end_predecessor


async def run(attempt: Attempt, work: ListFilesRequested) -> Outcome:
    """Only reads.  Told twice, it is kept once."""
    return await attempt.hold.guard(_list(attempt, work))


async def _list(attempt: Attempt, work: ListFilesRequested) -> Outcome:
    await end_predecessor(attempt)
    restic = await reach(attempt, work.address)
    snapshot = Listable(
        snapshot_id=work.snapshot_id,
        address=work.address,
        restic_snapshot_id=work.restic_snapshot_id,
    )
    root = await unless_locked(
        attempt, work.address, lambda: tell_files(attempt, restic, snapshot), exclusive=False
    )
    result = None if root is None else ListFilesResult(files=root.files, folders=root.folders)
    return Outcome(status=RunStatus.SUCCESS, result=result)
