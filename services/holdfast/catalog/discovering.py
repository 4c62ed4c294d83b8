"""Discoveries: when the next is due, and what follows from what one found."""

from datetime import datetime, timedelta
from uuid import UUID

from msgspec.structs import replace

from holdfast.catalog.answers.changed import configuration_changed
from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.configuration import Scope
from holdfast.catalog.domain.coverage import Known, coverage, unprotected
from holdfast.catalog.domain.device import far_address
from holdfast.catalog.domain.discovered import free_name, is_wanted, policy_for
from holdfast.catalog.store import apps, configurations, devices, outbox, policies, runs
from holdfast.catalog.store.apps import KnownApp
from holdfast.catalog.store.pool import Connection, reading, transaction
from holdfast.catalog.store.runs import RunRow
from holdfast.events.changes import Change
from holdfast.events.consistency import Consistency
from holdfast.events.discovery import (
    AppDiscovered,
    AppVanished,
    DataUnprotected,
    DeviceDiscovered,
    DeviceUnseen,
    FoundApp,
)
from holdfast.events.run import DiscoverResult, Failure, Operation, RunCompleted, RunStatus, Trigger
from holdfast.events.views import CoverageEntry, DeviceView
from holdfast.events.work import DiscoverRequested
from holdfast.kernel.ids import derived_id, new_id
from holdfast.telemetry.logs import Log

log = Log("catalog")

LOOKS_UNTIL_TOLD = 3
"""Looks that fail in a row: a machine that is started anew is none of anybody's business."""

NO_ENGINE = Failure(
    code="no_engine",
    message="No container engine answers there, though it ran apps.",
    guidance="Is the engine running, and may Holdfast's user open its socket (group 'docker')?",
)

SELDOM = timedelta(minutes=10)
"""Until the next look, where there was no engine, or the device could not be reached."""


async def queue_due(deps: Deps) -> None:
    """Queue a run for every device whose engines are to be asked by now."""
    if not deps.settings.discover_seconds:
        return
    now = deps.now()
    async with reading(deps.pool) as connection:
        if not await devices.discover_due(connection, now):
            return
    async with transaction(deps.pool) as connection:
        await runs.lock_admission(connection)  # so that two catalogs do not both find it due
        due = await devices.found(connection, await devices.discover_due(connection, now))
        for device in due.values():
            next_time = now + timedelta(seconds=deps.settings.discover_seconds)
            await devices.discover_at(connection, device.id, next_time)
            await queue(connection, device, Trigger.SCHEDULE, deps)
    deps.wake.set()


async def queue(
    connection: Connection, device: DeviceView, trigger: Trigger, deps: Deps
) -> DiscoverRequested:
    """Queue a run that asks the engines of *device*."""
    work = DiscoverRequested(
        event_id=new_id(),
        occurred_at=deps.now(),
        run_id=new_id(),
        site=device.site,
        device_id=device.id,
        device=far_address(device),
        own_paths=await devices.repositories_on(connection, device.id),
    )
    new = runs.NewRun(operation=Operation.DISCOVER, work=work, trigger=trigger, device_id=device.id)
    await runs.enqueue(connection, new)
    return work


async def follow_end(
    connection: Connection, run: RunRow, event: RunCompleted, now: datetime
) -> None:
    """Only the newest look is kept in the history; one that met no engine is the last for long."""
    if run.operation is not Operation.DISCOVER or run.device_id is None:
        return
    if not isinstance(event.result, DiscoverResult) or not event.result.engines:
        await devices.discover_at(connection, run.device_id, now + SELDOM)
    await _note_whether_seen(connection, run.device_id, event, now)
    if run.trigger is Trigger.SCHEDULE:
        await devices.drop_old_discoveries(connection, run.device_id, run.id)


async def _note_whether_seen(
    connection: Connection, device_id: UUID, event: RunCompleted, now: datetime
) -> None:
    """Somebody is told when it fails again and again, and not each time."""
    failure = event.failure
    if isinstance(event.result, DiscoverResult):
        engine_is_off = not event.result.engines and await devices.has_found_apps(
            connection, device_id
        )
        failure = NO_ENGINE if engine_is_off else None
    elif event.status is not RunStatus.FAILED:
        return  # somebody stopped it
    if failure is None and event.status is RunStatus.SUCCESS:
        await devices.look_succeeded(connection, device_id)
        return
    looks = await devices.look_failed(connection, device_id, now)
    if looks is None or looks.looks_failed != LOOKS_UNTIL_TOLD:
        return
    word = DeviceUnseen(
        event_id=derived_id(DeviceUnseen.TYPE, event.run_id),
        occurred_at=now,
        device_id=device_id,
        device_name=looks.name,
        run_id=event.run_id,
        since=looks.unseen_since,
        failure=failure or Failure(code="unknown", message="No cause was recorded."),
    )
    await outbox.add(connection, word)


async def record_discovery(connection: Connection, event: DeviceDiscovered, deps: Deps) -> None:
    """Keep the apps that are new, change those that are known, mark those that are gone.

    What is older than what is on record is passed over.
    """
    now = deps.now()
    device = await devices.lock(connection, event.device_id)
    if device is None or not await devices.discovered(
        connection, device.id, event.occurred_at, now
    ):
        return
    known = await apps.lock_found(connection, device.id)
    for found in event.apps:
        old = known.pop(found.key, None)
        if old is None:
            await _add(connection, device, found, now)
            continue
        await apps.found_again(connection, old.id, found)
        if old.vanished_at is not None:
            await _say(connection, AppDiscovered, old.id, device.id, old.name, now)
        await _follow_labels(connection, old, found, now)
    for old in known.values():
        if old.vanished_at is None and old.key.partition("/")[0] in event.engines:
            await apps.vanished(connection, old.id, now)
            await _say(connection, AppVanished, old.id, device.id, old.name, now)
    before = {each.name for each in (await devices.loose(connection))[device.id]}
    if event.engines:
        await devices.set_loose(connection, device.id, event.loose)
    # An app that is made anew has none of its containers for a moment.
    unsure = {each.name for each in event.loose} - before if event.engines else before
    await _say_unprotected(connection, device, event.run_id, unsure, now)


async def covered(connection: Connection, now: datetime) -> tuple[CoverageEntry, ...]:
    """All data of all apps, and what protects it."""
    known = Known(
        devices={each.id: each for each in await devices.listed(connection)},
        policies={each.id: each for each in await policies.listed(connection)},
        configurations=await configurations.listed(connection, None),
        backups=await apps.good_backups(connection),
        loose=await devices.loose(connection),
    )
    return coverage(await apps.listed(connection), known, now)


async def _say_unprotected(
    connection: Connection, device: DeviceView, run_id: UUID, unsure: set[str], now: datetime
) -> None:
    """Tell of data that nobody was told of; what is protected by now is told again if it loses
    that.  Loose volumes of which we are *unsure* wait for the next look."""
    told = await devices.unprotected(connection, device.id)
    here = [
        each
        for each in await covered(connection, now)
        if each.device_id == device.id
        and (each.app_id is not None or each.path in told or each.name not in unsure)
    ]
    places = unprotected(here)
    new = tuple(each for each in places if each.path not in told)
    if new:
        event = DataUnprotected(
            event_id=derived_id(DataUnprotected.TYPE, run_id),
            occurred_at=now,
            device_id=device.id,
            device_name=device.name,
            run_id=run_id,
            places=new,
        )
        await outbox.add(connection, event)
    paths = {each.path for each in places}
    if paths != set(told):
        await devices.set_unprotected(connection, device.id, sorted(paths))


async def _add(connection: Connection, device: DeviceView, found: FoundApp, now: datetime) -> None:
    """An app is protected from the moment it is known.  One that has no data is none."""
    if not found.paths() and not found.data:
        return
    app_id = new_id()
    name = free_name(found.name, device.name, await apps.names_taken(connection, found.name))
    await apps.add_found(connection, app_id, name, device.id, found, now)
    if is_wanted(found):
        await _protect(connection, app_id, found, now)
    await _say(connection, AppDiscovered, app_id, device.id, name, now)


async def _follow_labels(
    connection: Connection, old: KnownApp, found: FoundApp, now: datetime
) -> None:
    """What the labels switch off or on counts when they change: in between, a person's word."""
    if old.found is None or is_wanted(old.found) == is_wanted(found):
        return
    ties = await configurations.listed(connection, old.id)
    if is_wanted(found) and not ties:
        await _protect(connection, old.id, found, now)
    elif old.found.is_switched_off != found.is_switched_off:
        for tie in ties:
            scope = replace(configurations.scope_of(tie), enabled=not found.is_switched_off)
            await configurations.update(connection, tie.id, scope, now, restarted=scope.enabled)
            await outbox.add(connection, configuration_changed(tie.id, Change.UPDATED, now))


async def _protect(connection: Connection, app_id: UUID, found: FoundApp, now: datetime) -> None:
    policy = policy_for(found, await policies.listed(connection))
    if found.policy and policy.name.casefold() != found.policy.casefold():
        log.warning("no_such_policy", app=found.name, policy=found.policy, used=policy.name)
    scope = Scope(
        policy_id=policy.id,
        backup_volumes=True,
        backup_compose=True,
        backup_env=True,
        include_paths=(),
        exclude_paths=found.exclude,
        consistency=Consistency(quiet=found.quiet, hooks=found.hooks),
        enabled=True,
    )
    tie = await configurations.tie(connection, new_id(), app_id, scope, now)
    await outbox.add(connection, configuration_changed(tie.id, Change.CREATED, now))


async def _say(
    connection: Connection,
    kind: type[AppDiscovered] | type[AppVanished],
    app_id: UUID,
    device_id: UUID,
    name: str,
    now: datetime,
) -> None:
    event = kind(event_id=new_id(), occurred_at=now, app_id=app_id, device_id=device_id, name=name)
    await outbox.add(connection, event)
