"""Bringing a snapshot from one destination of a run to another."""

from contextlib import AsyncExitStack

from holdfast.events.snapshot import Way
from holdfast.events.work import DestinationAddress, FanOut
from holdfast.executor.attempt import Attempt
from holdfast.executor.domain import run_tag
from holdfast.executor.mirror import Copyable, mirror
from holdfast.executor.reach import append_only, as_source, reach
from holdfast.kernel.errors import HoldfastError
from holdfast.restic import Restic
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
        restic = attempt.restic(target)
        await _copy(attempt, source, source_restic, target, restic, made.snapshot_id)
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


async def _copy(
    attempt: Attempt,
    source: DestinationAddress,
    source_restic: Restic,
    target: DestinationAddress,
    restic: Restic,
    snapshot_id: str,
) -> None:
    """Into an append-only destination through its relay, like any backup."""
    async with AsyncExitStack() as open_ones:
        relay = None
        if target.append_only:
            relay, restic = await open_ones.enter_async_context(
                append_only(attempt, target, restic)
            )
        readable = await open_ones.enter_async_context(
            as_source(attempt, source, source_restic, restic)
        )
        options = CopyOptions(source=readable.repository, snapshot_ids=(snapshot_id,))
        bringing = copy.bring(restic, options)
        await (bringing if relay is None else relay.while_it_lives(bringing))


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
