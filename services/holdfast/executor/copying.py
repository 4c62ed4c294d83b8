"""Bringing a snapshot from one destination of a run to another."""

from holdfast.events.snapshot import Way
from holdfast.events.work import DestinationAddress, FanOut
from holdfast.executor.attempt import Attempt
from holdfast.executor.domain import run_tag
from holdfast.executor.mirror import Copyable, mirror
from holdfast.executor.reach import reach
from holdfast.kernel.errors import HoldfastError
from holdfast.restic.commands import copy, snapshots
from holdfast.restic.commands.copy import CopyOptions
from holdfast.restic.commands.snapshots import Snapshot, SnapshotsOptions
from holdfast.restic.errors import RepositoryLockedError
from holdfast.telemetry.logs import Log

log = Log("executor")


async def copied_from(
    attempt: Attempt,
    fan_out: FanOut,
    source: DestinationAddress,
    made: Copyable,
    target: DestinationAddress,
) -> tuple[Snapshot, Way] | None:
    """The snapshot that is at *target* now, with the tags that it has at *source*.

    None when it could not be copied, whatever the cause: then the source is read again.
    Raises RepositoryLockedError when somebody uses one of the two alone.
    """
    try:
        source_restic = await reach(attempt, source)
        way = Way.COPY
        if fan_out is FanOut.MIRROR and await _mirrored(attempt, source, made, target):
            way = Way.MIRROR
        options = CopyOptions(source=source_restic.repository, snapshot_ids=(made.snapshot_id,))
        restic = attempt.restic(target)
        await copy.bring(restic, options)
        tag = run_tag(attempt.work.run_id)
        return (await snapshots.run(restic, SnapshotsOptions(tags=(tag,))))[-1], way
    except RepositoryLockedError:
        raise
    except (HoldfastError, IndexError) as error:
        log.warning(
            "not_copied",
            run_id=str(attempt.work.run_id),
            source=source.name,
            target=target.name,
            error=str(error),
            detail=getattr(error, "detail", ""),
        )
        return None


async def _mirrored(
    attempt: Attempt, source: DestinationAddress, made: Copyable, target: DestinationAddress
) -> bool:
    """Whether objects were carried over.  What goes wrong there is no harm: restic copies then."""
    try:
        return await mirror(attempt, source, made, target)
    except RepositoryLockedError:
        raise
    except HoldfastError as error:
        log.warning("not_mirrored", source=source.name, target=target.name, error=str(error))
        return False
