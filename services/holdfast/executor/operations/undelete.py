"""``undelete``: a repository as it stood before somebody deleted or overwrote it."""

from holdfast.events.run import RunStatus, UndeleteResult
from holdfast.events.work import UndeleteRequested
from holdfast.executor.attempt import Attempt
from holdfast.executor.domain import Outcome
from holdfast.executor.reach import identify
from holdfast.executor.takeover import end_predecessor

SNAPSHOTS = "snapshots/"


async def run(attempt: Attempt, work: UndeleteRequested) -> Outcome:
    """What is back already is passed over, so a run that died is simply done again."""
    return await attempt.hold.guard(_undelete(attempt, work))


async def _undelete(attempt: Attempt, work: UndeleteRequested) -> Outcome:
    await end_predecessor(attempt)
    done = await attempt.vault(work.address).undelete(work.since)
    # That it opens is no proof that it is whole; a check is.  But that it does not is one.
    await identify(attempt.restic(work.address), work.address)
    return Outcome(
        status=RunStatus.SUCCESS,
        result=UndeleteResult(
            restored=len(done.restored),
            hidden=done.hidden,
            restic_snapshot_ids=tuple(
                each.removeprefix(SNAPSHOTS) for each in done.restored if each.startswith(SNAPSHOTS)
            ),
        ),
    )
