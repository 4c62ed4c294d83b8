"""Proving now that a snapshot can be restored."""

from holdfast.catalog.answers.snapshots import restorable
from holdfast.catalog.deps import Deps
from holdfast.catalog.drilling import queue_drill, to_drill
from holdfast.catalog.store import runs
from holdfast.catalog.store.drills import ToDrill
from holdfast.catalog.store.pool import Connection, transaction
from holdfast.events.queries import StartDrill
from holdfast.events.run import RunStatus
from holdfast.events.views import RunAccepted
from holdfast.kernel.errors import InvalidRequestError
from holdfast.kernel.ids import new_id


async def answer_start_drill(query: StartDrill, deps: Deps) -> RunAccepted:
    """Queue it; ConflictError when there is nothing to drill, or another drill is at work."""
    run_id = new_id()
    async with transaction(deps.pool) as connection:
        await runs.lock_admission(connection)
        wanted = await _wanted(connection, query)
        await queue_drill(connection, wanted, run_id, deps)
        view = await runs.find(connection, run_id)
    deps.wake.set()
    return RunAccepted(
        run_id=run_id,
        status=RunStatus.QUEUED if view is None else view.status,
        destination_id=wanted.destination_id,
    )


async def _wanted(connection: Connection, query: StartDrill) -> ToDrill:
    if query.snapshot_id is None:
        return await to_drill(connection, query.configuration_id)
    snapshot, restic_snapshot_id = await restorable(connection, query.snapshot_id)
    if snapshot.configuration_id != query.configuration_id:
        raise InvalidRequestError("snapshot_id: that is no snapshot of this configuration.")
    return ToDrill(
        configuration_id=query.configuration_id,
        destination_id=snapshot.destination_id,
        run_id=snapshot.run_id,
        restic_snapshot_id=restic_snapshot_id,
    )
