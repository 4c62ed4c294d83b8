"""Taking up a run that another attempt left: its restic first, then its lock."""

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
    run_id = str(attempt.work.run_id)
    ended = await end_leftovers(run_id)
    if attempt.host is not None:
        ended += await attempt.host.end_leftovers(run_id)
    log.info("run_taken_over", run_id=run_id, claim=attempt.claim.claim, ended=ended)


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
