"""``discard_previous``: what was there before an app's restore is removed for good.

Only what the journal of that one restore names goes, and only when the journal says that the
restore came to its good end.  Whoever is cut off in the middle goes on with the rest.
"""

from collections.abc import Collection

from holdfast.events.discarding import DiscardRequested
from holdfast.events.restoring import DiscardResult
from holdfast.events.run import RunStatus
from holdfast.executor.apps import replacing
from holdfast.executor.apps.hand import Hand
from holdfast.executor.apps.journal import DISCARDED, DONE, UNDONE, Journal, is_aside
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.engine import Engine
from holdfast.executor.domain import Outcome
from holdfast.executor.takeover import end_predecessor
from holdfast.executor.there import at_device
from holdfast.kernel.errors import ConflictError
from holdfast.telemetry.logs import Log

log = Log("executor")


class NothingToDiscardError(ConflictError):
    """Nothing of that restore is set aside."""

    code = "nothing_to_discard"
    guidance = "Nothing was removed."


class RestoreUnfinishedError(ConflictError):
    """A restore of this app was cut off."""

    code = "restore_unfinished"
    guidance = (
        "Nothing was removed. Restore the app again first: that puts back what was there before."
    )


class ForeignJournalError(ConflictError):
    """The journal names what no restore of Holdfast's has set aside."""

    code = "foreign_journal"
    guidance = "Nothing was removed. Look at the folders '.holdfast-before-…' yourself."


async def run(attempt: Attempt, work: DiscardRequested) -> Outcome:
    """See the module."""
    async with at_device(attempt, work.device) as there:
        return await there.hold.guard(_discard(there, work))


async def _discard(attempt: Attempt, work: DiscardRequested) -> Outcome:
    await end_predecessor(attempt)
    hand = Hand(attempt, work.app_id)
    unfinished = await hand.unfinished()
    if unfinished:
        raise RestoreUnfinishedError(f"Restore {unfinished[0]} of this app was cut off.")
    kept = await hand.read(work.restore_run_id)
    if kept is None:
        raise NothingToDiscardError(
            f"Restore {work.restore_run_id} left no journal on this device: it changed nothing."
        )
    journal, marks = kept
    _check(journal, marks, work)
    ours = f"{DISCARDED}.{work.run_id}"
    removed: list[str] = []
    freed = 0
    if ours in marks or not any(each.startswith(f"{DISCARDED}.") for each in marks):
        for number, move in enumerate(journal.moves):
            size = await hand.discard(work.restore_run_id, number, move)
            freed += size
            if size:
                removed.append(move.aside)
        removed += await _containers(attempt, journal)
        await hand.mark(work.restore_run_id, ours)
    log.info("previous_discarded", run_id=str(work.restore_run_id), bytes=freed)
    result = DiscardResult(
        restore_run_id=work.restore_run_id, removed=tuple(removed), freed_bytes=freed
    )
    return Outcome(status=RunStatus.SUCCESS, result=result)


async def _containers(attempt: Attempt, journal: Journal) -> list[str]:
    """Those in whose place others were made, as they were kept."""
    for each in journal.replaced:
        await replacing.discard(attempt, Engine(journal.engine), each)
    return [each.image for each in journal.replaced]


def _check(journal: Journal, marks: Collection[str], work: DiscardRequested) -> None:
    """Raises NothingToDiscardError and ForeignJournalError."""
    if UNDONE in marks or DONE not in marks:
        raise NothingToDiscardError(
            f"Restore {work.restore_run_id} did not come to its good end: "
            "what it had set aside is back in its place."
        )
    foreign = [each.aside for each in journal.moves if not is_aside(each, work.restore_run_id)]
    if foreign or journal.run_id != work.restore_run_id:
        raise ForeignJournalError(detail="\n".join(foreign))
