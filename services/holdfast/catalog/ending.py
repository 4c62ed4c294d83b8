"""Ending a run: its outcome, and what follows from it, in one transaction."""

from datetime import datetime
from uuid import UUID

import msgspec

from holdfast.catalog import discovering, protecting
from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.run import LOST, after_last_try, differ, is_damage, retry_time
from holdfast.catalog.rebuilding import follow_rebuild
from holdfast.catalog.retrying import queue_retry
from holdfast.catalog.store import (
    destinations,
    devices,
    dump,
    outbox,
    passwords,
    runs,
    snapshots,
    verification,
)
from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.runs import RunRow
from holdfast.catalog.verifying import record_check, record_repair
from holdfast.events.base import AwareTime
from holdfast.events.run import (
    CheckResult,
    DeviceProbeResult,
    Failure,
    ForgetResult,
    HealResult,
    ImportResult,
    InitResult,
    Operation,
    ProbeResult,
    ProtectionTestResult,
    PruneResult,
    RebuildResult,
    RotatePasswordResult,
    RunCompleted,
    RunStatus,
    UndeleteResult,
)
from holdfast.events.snapshot import ReplicasDiffer
from holdfast.events.work import DeviceProbeRequested, ImportRequested
from holdfast.kernel.ids import derived_id
from holdfast.telemetry.logs import Log

log = Log("catalog")


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a run's work, be it of a type that this release does not know."""

    occurred_at: AwareTime
    app_name: str = ""


async def record_end(connection: Connection, run: RunRow, event: RunCompleted, deps: Deps) -> None:
    """Write what the executor says its run came to, and do what follows from it."""
    now = deps.now()
    # A destination that nothing was said of: the run is over, so its row must be too.
    await snapshots.end_rest(connection, run.id, _rest(event.status), event.failure or LOST, now)
    is_last = retry_time(run.attempt, deps.settings.retry_delays, now) is None
    ended = await runs.end(
        connection,
        run.id,
        event.status,
        event.occurred_at,
        failure=after_last_try(event.failure, run.attempt) if is_last else event.failure,
        result=event.result,
    )
    if not ended:
        return
    await _follow(connection, run, event, now)
    await dump.drop_parts(connection, run.id)
    await _compare(connection, run, now)
    if isinstance(event.result, PruneResult | CheckResult) and event.result.stats is not None:
        stats, zone = event.result.stats, deps.settings.timezone
        for destination_id in run.destination_ids:
            await verification.add_stats(connection, destination_id, stats, now, zone)
    if isinstance(event.result, RebuildResult):
        await follow_rebuild(connection, run, event.result, deps)
    if run.operation is Operation.BACKUP and event.status in (RunStatus.PARTIAL, RunStatus.FAILED):
        await queue_retry(connection, run, deps)
    await runs.admit_queued(connection, now)


async def end_here(
    connection: Connection, run_id: UUID, status: RunStatus, failure: Failure | None, now: datetime
) -> bool:
    """End a run that no executor holds, and tell it in the executor's stead.

    False: it has ended already.
    """
    run = await runs.lock(connection, run_id)
    if run is None or not await runs.end(connection, run_id, status, now, failure=failure):
        return False
    await snapshots.end_rest(connection, run_id, status, failure, now)
    work = msgspec.convert(run.work, _Head, strict=False)
    event = RunCompleted(
        event_id=derived_id(RunCompleted.TYPE, run_id, "catalog"),
        occurred_at=now,
        run_id=run_id,
        claim=run.claim,
        operation=run.operation,
        status=status,
        started_at=work.occurred_at,
        configuration_id=run.configuration_id,
        app_id=run.app_id,
        app_name=work.app_name,
        destination_ids=run.destination_ids,
        failure=failure,
    )
    await outbox.add(connection, event)
    await _follow(connection, run, event, now)
    return True


async def _follow(connection: Connection, run: RunRow, event: RunCompleted, now: datetime) -> None:
    """What an outcome means for the destination, or the device."""
    await protecting.follow_end(connection, run, event, now)
    await discovering.follow_end(connection, run, event, now)
    # What is to be done is read only where it must be: a newer release's is not understood.
    if run.operation is Operation.DEVICE_PROBE and isinstance(event.result, DeviceProbeResult):
        await _device_probed(connection, run, event.result, now)
    for destination_id in run.destination_ids:
        match run.operation, event.result:
            case Operation.INIT, InitResult() as result:
                if await destinations.destination_became_ready(
                    connection, destination_id, result, now
                ):
                    await _look_inside(connection, run, destination_id, result, now)
            case Operation.INIT, _:
                await destinations.destination_failed(
                    connection, destination_id, now, tried=run.claim > 0
                )
            case Operation.PROBE, ProbeResult() as result:
                await destinations.was_probed(connection, run.id, destination_id, result, now)
            case Operation.IMPORT, ImportResult(repository_id=repository_id):
                await destinations.identified(connection, destination_id, repository_id)
            case Operation.PROBE, _:
                await destinations.not_probed(connection, run.id)
            case Operation.FORGET, ForgetResult(restic_snapshot_ids=forgotten):
                await snapshots.forget(connection, destination_id, forgotten, now)
                await destinations.prune_needed(connection, destination_id)
            case Operation.HEAL, HealResult(replaced=replaced):
                await snapshots.replace(connection, destination_id, replaced)
                # Copies that went again, and what was left out, are data of no snapshot.
                await destinations.prune_needed(connection, destination_id)
                if event.status is RunStatus.SUCCESS:
                    await record_repair(connection, destination_id, event, now)
            case Operation.PRUNE, PruneResult(repository_size=size):
                await destinations.pruned(connection, destination_id, size, now)
            case Operation.CHECK, CheckResult() as result:
                await record_check(connection, destination_id, event, result, now)
            case Operation.ROTATE_PASSWORD, RotatePasswordResult():
                await passwords.drop_old(connection, destination_id)
            case Operation.PROTECTION_TEST, ProtectionTestResult() as result:
                await destinations.protection_tested(connection, destination_id, result, now)
            case Operation.BACKUP, _ if event.status is not RunStatus.SUCCESS:
                # A backup that broke off leaves packs that no snapshot needs.
                await destinations.prune_needed(connection, destination_id)
            case Operation.UNDELETE, UndeleteResult(restic_snapshot_ids=back):
                await snapshots.unforget(connection, destination_id, back)
                await destinations.prune_needed(connection, destination_id)
            case _:
                pass


async def _look_inside(
    connection: Connection, run: RunRow, destination_id: UUID, result: InitResult, now: datetime
) -> None:
    """The snapshots of a repository that was adopted come into the catalog by a run."""
    if not result.adopted:
        return
    addresses = await destinations.addresses(connection, [destination_id])
    work = ImportRequested(
        event_id=derived_id(ImportRequested.TYPE, run.id),
        occurred_at=now,
        run_id=derived_id("import", run.id),
        site=run.event.site,
        address=addresses[destination_id],
    )
    await runs.add(connection, [runs.NewRun(operation=Operation.IMPORT, work=work)])


async def _compare(connection: Connection, run: RunRow, now: datetime) -> None:
    """Say so when a backup's snapshots are not the same at all of its destinations."""
    if run.configuration_id is None or len(run.destination_ids) < 2:
        return
    found = await snapshots.replicas_of_run(connection, run.id)
    if not differ(found):
        return
    event = ReplicasDiffer(
        event_id=derived_id(ReplicasDiffer.TYPE, run.id),
        occurred_at=now,
        run_id=run.id,
        configuration_id=run.configuration_id,
        app_name=getattr(run.event, "app_name", ""),
        is_damage=is_damage(found),
        snapshots=found,
    )
    await outbox.add(connection, event)


def _rest(status: RunStatus) -> RunStatus:
    return RunStatus.CANCELLED if status is RunStatus.CANCELLED else RunStatus.FAILED


async def _device_probed(
    connection: Connection, run: RunRow, result: DeviceProbeResult, now: datetime
) -> None:
    if isinstance(run.event, DeviceProbeRequested):
        device = run.event.device
        await devices.probed(connection, device.device_id, result, device.host_key, now)
