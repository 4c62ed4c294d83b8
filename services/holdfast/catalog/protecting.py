"""Keeping object locks up: soon after something was written, and once a day in any case.

What is due is a column, not a message: however often a run fails or a process dies, a
destination stays due until a run has done it.
"""

from datetime import datetime, timedelta

from holdfast.catalog.deps import Deps
from holdfast.catalog.store import destinations, runs
from holdfast.catalog.store.pool import Connection, reading, transaction
from holdfast.catalog.store.runs import RunRow
from holdfast.events.run import Operation, ProtectResult, RunCompleted, Trigger
from holdfast.events.work import ProtectRequested
from holdfast.kernel.ids import new_id

EVERY = timedelta(days=1)
"""Without it, locks would run out at a destination that nothing is written to any more."""

AGAIN_AFTER = timedelta(hours=3)
"""After one that failed.  There is no hurry: at least half of the lock's days are left."""

WRITES = frozenset((Operation.BACKUP, Operation.PRUNE, Operation.UNDELETE))
"""What leaves new objects, whether it succeeds or not."""


async def queue_due(deps: Deps) -> None:
    """Queue a run for every destination that is due."""
    now = deps.now()
    async with reading(deps.pool) as connection:
        if not await destinations.protect_due(connection, now):
            return
    async with transaction(deps.pool) as connection:
        await runs.lock_admission(connection)  # so that two catalogs do not both find it due
        due = await destinations.protect_due(connection, now)
        addresses = await destinations.addresses(connection, due)
        for destination_id in due:
            await destinations.protect_queued(connection, destination_id, now + EVERY)
            work = ProtectRequested(
                event_id=new_id(),
                occurred_at=now,
                run_id=new_id(),
                site=await destinations.site_of(connection, destination_id, deps.settings.site),
                address=addresses[destination_id],
            )
            await runs.enqueue(
                connection,
                runs.NewRun(operation=Operation.PROTECT, work=work, trigger=Trigger.RETENTION),
            )
    deps.wake.set()


async def follow_end(
    connection: Connection, run: RunRow, event: RunCompleted, now: datetime
) -> None:
    """What the end of a run means for the object locks of its destinations."""
    for destination_id in run.destination_ids:
        if run.operation in WRITES:
            await destinations.protect_at(connection, destination_id, now)
        elif run.operation is Operation.PROTECT:
            if isinstance(event.result, ProtectResult):
                await destinations.protected(connection, destination_id, event.started_at)
            else:
                await destinations.protect_at(connection, destination_id, now + AGAIN_AFTER)
