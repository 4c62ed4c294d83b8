"""Checks: which are queued, and what follows from what they found."""

from datetime import datetime
from uuid import UUID

from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.verification import oldest_part, part_of, parts_today, rotation_of
from holdfast.catalog.store import destinations, outbox, runs, verification
from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.verification import PromiseRow
from holdfast.events.checks import ReadData
from holdfast.events.due import CheckDue
from holdfast.events.repository import RepositoryDamaged, RepositoryMended
from holdfast.events.run import CheckResult, Operation, RunCompleted, Trigger
from holdfast.events.work import CheckRequested
from holdfast.kernel.ids import derived_id
from holdfast.telemetry.logs import Log

log = Log("catalog")

Parts = tuple[int, tuple[int, ...]]
"""Into how many the data is divided, and which of them are read."""


EVERYTHING: Parts = (1, (1,))


async def queue_due_check(connection: Connection, event: CheckDue, deps: Deps) -> None:
    """Remember the time, and queue a check with today's parts, unless one has not ended yet."""
    await runs.lock_admission(connection)
    destination_id = event.destination_id
    if not await verification.was_due(connection, destination_id, event.scheduled_for):
        return
    if await verification.has_unfinished_check(connection, destination_id):
        log.info("check_skipped", destination_id=str(destination_id), reason="one has not ended")
        return
    promise = await verification.promise(connection, destination_id)
    if promise is None:
        return
    readings = await verification.readings(connection, destination_id)
    read = parts_today(promise, readings, deps.now())
    await queue_check(
        connection,
        destination_id,
        derived_id("check", destination_id, event.scheduled_for.isoformat()),
        (rotation_of(promise).parts, read),
        deps,
        trigger=Trigger.SCHEDULE,
        scheduled_for=event.scheduled_for,
    )


async def asked_parts(
    connection: Connection,
    destination_id: UUID,
    promise: PromiseRow,
    read_data: ReadData,
    now: datetime,
) -> Parts:
    """What a person's check reads.  A part: where damage is known to be, or else the oldest."""
    match read_data:
        case ReadData.NONE:
            return 0, ()
        case ReadData.ALL:
            return EVERYTHING
    parts = rotation_of(promise).parts
    packs = [each.pack for each in await verification.damage(connection, destination_id)]
    damaged = sorted({part_of(pack, parts) for pack in packs if pack})
    if damaged:
        return parts, tuple(damaged)
    readings = await verification.readings(connection, destination_id)
    # Whoever asks by hand gets at least one: the budget binds the schedule.
    due = parts_today(promise, readings, now)
    return parts, due or (oldest_part(promise, readings),)


async def queue_check(
    connection: Connection,
    destination_id: UUID,
    run_id: UUID,
    parts: Parts,
    deps: Deps,
    *,
    trigger: Trigger = Trigger.MANUAL,
    scheduled_for: datetime | None = None,
) -> None:
    """Queue it; a run that was queued before is not queued again."""
    promise = await verification.promise(connection, destination_id)
    addresses = await destinations.addresses(connection, [destination_id])
    work = CheckRequested(
        event_id=derived_id(CheckRequested.TYPE, run_id),
        occurred_at=deps.now(),
        run_id=run_id,
        site=await destinations.site_of(connection, destination_id, deps.settings.site),
        address=addresses[destination_id],
        parts=parts[0] if parts[1] else 0,
        read=parts[1],
        repository_size=0 if promise is None else promise.repository_size,
    )
    new = runs.NewRun(
        operation=Operation.CHECK, work=work, trigger=trigger, scheduled_for=scheduled_for
    )
    await runs.enqueue(connection, new)


async def record_check(
    connection: Connection,
    destination_id: UUID,
    event: RunCompleted,
    result: CheckResult,
    now: datetime,
) -> None:
    """Write down what was read and found; say damage that is new."""
    run_id = event.run_id
    # What came while it ran may not have been looked at: the start is what counts.
    await verification.was_checked(connection, destination_id, event.started_at)
    if result.read:
        await verification.add_readings(
            connection, destination_id, result.parts, result.read, event.started_at, run_id
        )
    if result.sound:
        await _mended(connection, destination_id, event.run_id, result.parts, result.read, now)
        return
    packs = result.damaged_packs + result.missing_packs
    new = await verification.add_damage(
        connection,
        destination_id,
        packs or ("",),
        result.missing_packs,
        result.restic_snapshot_ids,
        now,
        run_id,
    )
    if not new:
        return
    name = (await destinations.addresses(connection, [destination_id]))[destination_id].name
    await outbox.add(
        connection,
        RepositoryDamaged(
            event_id=derived_id(RepositoryDamaged.TYPE, run_id, destination_id),
            occurred_at=now,
            destination_id=destination_id,
            destination_name=name,
            run_id=run_id,
            packs=tuple(pack for pack in new if pack),
            restic_snapshot_ids=result.restic_snapshot_ids,
        ),
    )


async def record_repair(
    connection: Connection, destination_id: UUID, event: RunCompleted, now: datetime
) -> None:
    """A repair that succeeded has read every byte at its end."""
    await verification.was_checked(connection, destination_id, event.started_at)
    await verification.add_readings(
        connection, destination_id, *EVERYTHING, event.started_at, event.run_id
    )
    await _mended(connection, destination_id, event.run_id, *EVERYTHING, now)


async def _mended(
    connection: Connection,
    destination_id: UUID,
    run_id: UUID,
    parts: int,
    read: tuple[int, ...],
    now: datetime,
) -> None:
    """Take back the damage that a sound look would have seen, and say so."""
    cleared = await verification.clear_damage(connection, destination_id, parts, read, now)
    if not cleared:
        return
    name = (await destinations.addresses(connection, [destination_id]))[destination_id].name
    await outbox.add(
        connection,
        RepositoryMended(
            event_id=derived_id(RepositoryMended.TYPE, run_id, destination_id),
            occurred_at=now,
            destination_id=destination_id,
            destination_name=name,
            run_id=run_id,
            packs=tuple(pack for pack in cleared if pack),
            still_damaged=len(await verification.damage(connection, destination_id)),
        ),
    )
