"""``forget``: remove snapshots by their ids."""

import asyncio

from holdfast.events.run import ForgetResult, RunStatus
from holdfast.events.work import ForgetAdmitted
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.dumps import dumps_beside
from holdfast.executor.domain import CANCELLED, Outcome, failure_of
from holdfast.executor.hold import Reason, StoppedError
from holdfast.executor.locks import unless_locked
from holdfast.executor.reach import identify, reach
from holdfast.executor.takeover import end_predecessor
from holdfast.kernel.errors import HoldfastError
from holdfast.restic.commands import forget, snapshots
from holdfast.restic.commands.forget import ForgetOptions
from holdfast.telemetry.logs import Log

log = Log("executor")

LOOK_SECONDS = 60.0
"""So long a forget that broke off looks for what is gone."""


async def run(attempt: Attempt, work: ForgetAdmitted) -> Outcome:
    """Those that are gone already count as removed: another attempt got that far.

    One that is cancelled, or fails, says which are gone, too: nobody brings them back.
    """
    try:
        return await attempt.hold.guard(_forget(attempt, work))
    except StoppedError as stopped:
        if stopped.reason is not Reason.CANCELLED:
            raise
        status, failure = RunStatus.CANCELLED, CANCELLED
    except HoldfastError as error:
        status, failure = RunStatus.FAILED, failure_of(error, attempt.all_secrets())
    return Outcome(status=status, failure=failure, result=await _gone(attempt, work))


async def _forget(attempt: Attempt, work: ForgetAdmitted) -> Outcome:
    await end_predecessor(attempt)
    restic = await reach(attempt, work.address)
    if work.restic_snapshot_ids:
        dumps = await dumps_beside(restic, work.restic_snapshot_ids, attempt.deps.now())
        options = ForgetOptions(snapshot_ids=(*work.restic_snapshot_ids, *dumps))
        await unless_locked(
            attempt, work.address, lambda: forget.run(restic, options), exclusive=True
        )
    return Outcome(
        status=RunStatus.SUCCESS,
        result=ForgetResult(restic_snapshot_ids=work.restic_snapshot_ids),
    )


async def _gone(attempt: Attempt, work: ForgetAdmitted) -> ForgetResult | None:
    """Which of them are not in the repository; None when that is not known, or none is gone."""
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            await end_predecessor(attempt)
            restic = await reach(attempt, work.address)
            await identify(restic, work.address)  # in another one all of them are missing
            there = {each.id for each in await snapshots.run(restic)}
    except (HoldfastError, OSError, TimeoutError) as error:
        log.warning("forgotten_not_known", run_id=str(attempt.work.run_id), error=str(error))
        return None
    gone = tuple(each for each in work.restic_snapshot_ids if each not in there)
    return ForgetResult(restic_snapshot_ids=gone) if gone else None
