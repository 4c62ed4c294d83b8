"""Taking up a run that another attempt left: its restic first, then its lock."""

from uuid import UUID

from holdfast.devices.local import end_leftovers
from holdfast.events.work import DestinationAddress
from holdfast.executor.attempt import Attempt
from holdfast.executor.locks import clear_dead
from holdfast.restic import Restic
from holdfast.restic.commands import snapshots
from holdfast.restic.commands.snapshots import Snapshot, SnapshotsOptions
from holdfast.telemetry.logs import Log

log = Log("executor")


async def end_predecessor(attempt: Attempt) -> None:
    """Prove that what an earlier attempt started here, or on the run's device, is gone.

    Raises LeftoverError when it cannot be ended.
    """
    if not attempt.is_takeover:
        return
    ended = await end_left_by(attempt, attempt.work.run_id)
    log.info(
        "run_taken_over",
        run_id=str(attempt.work.run_id),
        claim=attempt.claim.claim,
        ended=ended,
    )


async def end_left_by(attempt: Attempt, run_id: UUID) -> int:
    """End all that still works for that run here, or on the attempt's device; how many there were.

    Raises LeftoverError when it cannot be ended.
    """
    ended = await end_leftovers(str(run_id))
    if attempt.host is not None:
        ended += await attempt.host.end_leftovers(str(run_id))
    return ended


async def clear_predecessors_lock(attempt: Attempt, address: DestinationAddress) -> None:
    """Remove the lock that a killed restic left.  A living one's stays.

    On a device one is left whenever the link to it broke, by a run of its own.
    """
    if attempt.is_takeover or attempt.host is not None:
        await clear_dead(attempt, address)


async def snapshot_of_predecessor(attempt: Attempt, restic: Restic, tag: str) -> Snapshot | None:
    """The snapshot that an earlier attempt finished but did not live to tell."""
    if not attempt.is_takeover:
        return None
    found = await snapshots.run(restic, SnapshotsOptions(tags=(tag,)))
    return found[-1] if found else None
