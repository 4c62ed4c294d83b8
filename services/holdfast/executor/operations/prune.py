"""``prune``: free the space that no snapshot needs, and measure what remains."""

from holdfast.events.run import PruneResult, RunStatus
from holdfast.events.work import PruneAdmitted
from holdfast.executor.attempt import Attempt
from holdfast.executor.domain import Outcome
from holdfast.executor.locks import unless_locked
from holdfast.executor.manifest import drop_old
from holdfast.executor.measure import measure
from holdfast.executor.reach import reach
from holdfast.executor.takeover import end_predecessor
from holdfast.restic.commands import prune


async def run(attempt: Attempt, work: PruneAdmitted) -> Outcome:
    """A prune that was killed is finished by the next one; nothing is lost by it."""
    return await attempt.hold.guard(_prune(attempt, work))


async def _prune(attempt: Attempt, work: PruneAdmitted) -> Outcome:
    await end_predecessor(attempt)
    restic = await reach(attempt, work.address)
    await unless_locked(attempt, work.address, lambda: drop_old(restic), exclusive=True)
    await unless_locked(attempt, work.address, lambda: prune.run(restic), exclusive=True)
    measured = await measure(restic)
    return Outcome(
        status=RunStatus.SUCCESS,
        result=PruneResult(repository_size=measured.raw_size, stats=measured),
    )
