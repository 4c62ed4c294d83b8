"""``forget``: remove snapshots by their ids."""

from holdfast.events.run import ForgetResult, RunStatus
from holdfast.events.work import ForgetAdmitted
from holdfast.executor.attempt import Attempt
from holdfast.executor.domain import Outcome
from holdfast.executor.locks import unless_locked
from holdfast.executor.reach import reach
from holdfast.executor.takeover import end_predecessor
from holdfast.restic.commands import forget
from holdfast.restic.commands.forget import ForgetOptions


async def run(attempt: Attempt, work: ForgetAdmitted) -> Outcome:
    """Those that are gone already count as removed: another attempt got that far."""
    return await attempt.hold.guard(_forget(attempt, work))


async def _forget(attempt: Attempt, work: ForgetAdmitted) -> Outcome:
    await end_predecessor(attempt)
    restic = await reach(attempt, work.address)
    if work.restic_snapshot_ids:
        options = ForgetOptions(snapshot_ids=work.restic_snapshot_ids)
        await unless_locked(
            attempt, work.address, lambda: forget.run(restic, options), exclusive=True
        )
    return Outcome(
        status=RunStatus.SUCCESS,
        result=ForgetResult(restic_snapshot_ids=work.restic_snapshot_ids),
    )
