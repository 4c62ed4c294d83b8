"""What goes around a backup, in its order: hooks, the app at rest, the backup, and back."""

import contextlib
from collections.abc import Awaitable, Callable

import msgspec

from holdfast.events.consistency import Consistency, Step, When
from holdfast.events.run import BackupResult, RunStatus
from holdfast.events.work import BackupRequested
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.hooks import HookFailedError, run_hooks
from holdfast.executor.consistency.quiet import at_rest
from holdfast.executor.domain import Outcome, failure_of
from holdfast.executor.takeover import end_predecessor
from holdfast.kernel.errors import HoldfastError

Use = Callable[[], Awaitable[Outcome]]


async def framed(attempt: Attempt, work: BackupRequested, use: Use) -> Outcome:
    """What *use* came to, with all that the configuration wants around it.

    What is done after a backup is done however it ended, but for one case: when the run is
    another executor's by now, it does that.  What was done is in the result.
    """
    wanted = work.consistency
    warnings = attempt.host.warnings if attempt.host is not None else ()
    if wanted is None:
        outcome = await use()
        result = BackupResult(warnings=warnings) if warnings else outcome.result
        return msgspec.structs.replace(outcome, result=result)
    steps: list[Step] = []
    ending = "failed"
    try:
        outcome = await _before(attempt, work, wanted, use, steps)
        ending = outcome.status.value
    finally:
        late = None
        if not attempt.hold.fenced:
            late = await _after(attempt, wanted, steps, ending)
    if late is not None and outcome.status is RunStatus.SUCCESS:
        outcome = Outcome(status=RunStatus.PARTIAL, failure=failure_of(late, attempt.all_secrets()))
    result = BackupResult(steps=tuple(steps), warnings=warnings)
    return msgspec.structs.replace(outcome, result=result)


async def _before(
    attempt: Attempt, work: BackupRequested, wanted: Consistency, use: Use, steps: list[Step]
) -> Outcome:
    done = attempt.claim.done_snapshot_ids
    if all(target.snapshot_id in done for target in work.targets):
        return await use()  # only told again
    async with contextlib.AsyncExitStack() as stack:
        try:
            await attempt.hold.guard(end_predecessor(attempt))
            await attempt.hold.guard(run_hooks(attempt, wanted.hooks, When.BEFORE, steps))
            rest = at_rest(attempt, wanted.containers, wanted.quiet, steps)
            await attempt.hold.guard(stack.enter_async_context(rest))
        except HoldfastError as error:
            failure = failure_of(error, attempt.all_secrets())
            return Outcome(status=RunStatus.FAILED, failure=failure)
        outcome = await use()
        try:
            await stack.aclose()
        except HoldfastError as error:
            return _less(attempt, outcome, error)
        return outcome


def _less(attempt: Attempt, outcome: Outcome, error: HoldfastError) -> Outcome:
    """*outcome* when something went wrong after it; what is worse already stays as it is."""
    if outcome.status is not RunStatus.SUCCESS:
        return outcome
    return Outcome(status=RunStatus.PARTIAL, failure=failure_of(error, attempt.all_secrets()))


async def _after(
    attempt: Attempt, wanted: Consistency, steps: list[Step], ending: str
) -> HookFailedError | None:
    try:
        await run_hooks(attempt, wanted.hooks, When.AFTER, steps, outcome=ending)
    except HookFailedError as error:
        return error
    return None
