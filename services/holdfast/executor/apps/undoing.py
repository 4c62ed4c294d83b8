"""Everything is put back as it was before a restore, as its journal says."""

from uuid import UUID

from holdfast.executor.apps import containers, replacing
from holdfast.executor.apps.hand import Hand
from holdfast.executor.apps.journal import UNDONE, undo
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.engine import Engine
from holdfast.executor.takeover import end_left_by
from holdfast.telemetry.logs import Log

log = Log("executor")


async def put_back(attempt: Attempt, hand: Hand, run_id: UUID) -> bool:
    """Whether there was anything to put back.

    May be cut off anywhere and done again.  Raises LeftoverError, AsideError and
    EngineSaidNoError; then it is not over, and the journal stays.
    """
    kept = await hand.read(run_id)
    if kept is None:
        return False
    journal, marks = kept
    plan = undo(journal, marks)
    if plan is None:
        await hand.mark(run_id, UNDONE)
        return False
    # Over a link that broke nobody has seen its end: it would write into what is put back.
    ended = await end_left_by(attempt, run_id)
    log.info("app_put_back", run_id=str(run_id), places=len(plan.moves), ended=ended)
    engine = Engine(journal.engine)
    if journal.engine:
        await containers.must_answer(attempt, engine)
        for name in plan.remove:
            await containers.remove(attempt, engine, name)
        # What the restore started again writes into what is put back.
        for each in reversed(journal.containers):
            await containers.stop_if_there(attempt, engine, each.id)
        for replaced in plan.replaced:
            await replacing.put_back(attempt, engine, replaced)
    for number, move in plan.moves:
        await hand.back(run_id, number, move)
    if journal.engine:
        for name in plan.volumes:
            await containers.remove_volume(attempt, engine, name)
        for each in plan.start:
            await containers.start(attempt, engine, each.id)
    await hand.mark(run_id, UNDONE)
    return True
