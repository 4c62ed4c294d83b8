"""What a discovery found becomes apps that are protected, and what is gone is marked."""

import dataclasses
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from holdfast.catalog.answers.apps import answer_create_app, answer_list_apps
from holdfast.catalog.answers.configurations import (
    answer_delete_configuration,
    answer_list_configurations,
    answer_update_configuration,
)
from holdfast.catalog.answers.devices import answer_list_devices
from holdfast.catalog.answers.discovery import answer_discover_device, answer_get_coverage
from holdfast.catalog.answers.policies import answer_create_policy
from holdfast.catalog.answers.portable import answer_export_settings, answer_import_settings
from holdfast.catalog.answers.runs import answer_start_backup
from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import (
    on_device_discovered,
    on_engine_changed,
    on_run_completed,
    on_snapshot_completed,
)
from holdfast.catalog.keeper import Keeper
from holdfast.events.consistency import Hook, HookKind, Quiet, When
from holdfast.events.discovery import (
    DataKind,
    DeviceDiscovered,
    EngineChanged,
    FoundApp,
    FoundData,
    FoundService,
    LeftOut,
)
from holdfast.events.queries import (
    CreateApp,
    CreatePolicy,
    DeleteConfiguration,
    DiscoverDevice,
    ExportSettings,
    GetCoverage,
    ImportSettings,
    ListApps,
    ListConfigurations,
    ListDevices,
    StartBackup,
    UpdateConfiguration,
)
from holdfast.events.run import DiscoverResult, Failure, Operation, RunStatus, Trigger
from holdfast.events.views import AppView, ConfigurationView, CoverageEntry, RunView
from holdfast.kernel.errors import NotFoundError
from holdfast.kernel.ids import new_id
from support.catalog import Clock, published
from support.runs import added_app, claimed, protected_app, run_ended, run_of, snapshot_made

pytestmark = pytest.mark.postgres

DB = FoundData(kind=DataKind.VOLUME, name="shop_db", path="/v/shop_db/_data", services=("db",))
MEDIA = FoundData(kind=DataKind.BIND, path="/srv/media", services=("web",))
SOCKET = FoundData(
    kind=DataKind.BIND, path="/run/docker.sock", services=("web",), left_out=LeftOut.SOCKET
)
SHOP = FoundApp(
    key="docker/project/shop",
    engine="docker",
    name="shop",
    services=(FoundService(name="db", container="shop-db-1", image="db:1", status="running"),),
    data=(DB, MEDIA, SOCKET),
    compose_files=("/srv/shop/compose.yml",),
    env_files=("/srv/shop/.env",),
)
OFF = replace(
    SHOP,
    data=tuple(replace(each, left_out=LeftOut.SWITCHED_OFF) for each in SHOP.data),
    is_switched_off=True,
)


async def device_id(deps: Deps) -> UUID:
    return (await answer_list_devices(ListDevices(), deps))[0].id


async def told(
    deps: Deps,
    clock: Clock,
    *apps: FoundApp,
    engines: tuple[str, ...] = ("docker",),
    loose: tuple[FoundData, ...] = (),
) -> RunView:
    """A discovery that a person asked for, to its end; each of its words comes twice."""
    clock.advance(seconds=1)
    accepted = await answer_discover_device(DiscoverDevice(device_id=await device_id(deps)), deps)
    return await finished(deps, clock, accepted.run_id, *apps, engines=engines, loose=loose)


async def finished(
    deps: Deps,
    clock: Clock,
    run_id: UUID,
    *apps: FoundApp,
    engines: tuple[str, ...] = ("docker",),
    loose: tuple[FoundData, ...] = (),
) -> RunView:
    run = await run_of(deps, run_id)
    assert run.operation is Operation.DISCOVER
    claim = (await claimed(deps, run.id)).claim
    event = DeviceDiscovered(
        event_id=new_id(),
        occurred_at=clock(),
        run_id=run.id,
        claim=claim,
        device_id=await device_id(deps),
        engines=engines,
        apps=apps,
        loose=loose,
    )
    result = DiscoverResult(engines=engines, apps=len(apps))
    for _ in range(2):
        await on_device_discovered(event, deps)
    for _ in range(2):
        await on_run_completed(run_ended(run, claim, clock(), result=result), deps)
    return await run_of(deps, run.id)


async def only_app(deps: Deps) -> AppView:
    (app,) = await answer_list_apps(ListApps(), deps)
    return app


async def ties(deps: Deps, app_id: UUID) -> tuple[ConfigurationView, ...]:
    return await answer_list_configurations(ListConfigurations(app_id=app_id), deps)


async def said(deps: Deps, kind: str) -> list[str]:
    return [told["name"] for type_, told in await published(deps) if type_ == kind]


async def covered(deps: Deps) -> dict[str, CoverageEntry]:
    return {each.path: each for each in await answer_get_coverage(GetCoverage(), deps)}


async def test_a_new_app_is_protected_by_the_default_policy_and_told_once(
    deps: Deps, clock: Clock
) -> None:
    await told(deps, clock, SHOP)
    await told(deps, clock, SHOP)

    app = await only_app(deps)
    assert (app.name, app.found) == ("shop", SHOP)
    assert app.paths == (
        "/v/shop_db/_data", "/srv/media", "/srv/shop/compose.yml", "/srv/shop/.env",
    )  # fmt: skip
    (tie,) = await ties(deps, app.id)
    assert tie.enabled
    assert await said(deps, "app.discovered") == ["shop"]
    assert ("configuration.changed", str(tie.id)) in [
        (type_, told.get("configuration_id")) for type_, told in await published(deps)
    ]
    exported = (await answer_export_settings(ExportSettings(), deps)).export
    assert [each.key for each in exported.apps] == [SHOP.key], "an import knows it again"


async def test_labels_name_the_policy_and_patterns_and_switch_off(deps: Deps, clock: Clock) -> None:
    hourly = await answer_create_policy(CreatePolicy(name="Hourly", schedule="0 * * * *"), deps)
    await told(deps, clock, replace(SHOP, policy="hourly", exclude=("*.tmp",)))
    (tie,) = await ties(deps, (await only_app(deps)).id)
    assert (tie.policy_id, tie.exclude_paths) == (hourly.id, ("*.tmp",))

    await told(deps, clock, OFF)
    (tie,) = await ties(deps, (await only_app(deps)).id)
    assert not tie.enabled
    assert (await covered(deps))["/srv/media"].reason == "switched_off"

    await told(deps, clock, SHOP)
    (tie,) = await ties(deps, (await only_app(deps)).id)
    assert tie.enabled


async def test_an_app_that_is_off_from_the_start_gets_no_configuration_until_it_is_on(
    deps: Deps, clock: Clock
) -> None:
    quiet = replace(OFF, compose_files=(), env_files=())
    await told(deps, clock, quiet)
    app = await only_app(deps)
    assert await ties(deps, app.id) == ()
    exported = (await answer_export_settings(ExportSettings(), deps)).export
    await answer_import_settings(ImportSettings(export=exported), deps)  # not refused

    await told(deps, clock, SHOP)
    assert len(await ties(deps, app.id)) == 1


async def test_a_persons_word_outlives_the_next_look(deps: Deps, clock: Clock) -> None:
    await told(deps, clock, SHOP)
    app = await only_app(deps)
    (tie,) = await ties(deps, app.id)
    await answer_update_configuration(
        UpdateConfiguration(configuration_id=tie.id, enabled=False), deps
    )
    await told(deps, clock, SHOP)
    assert [each.enabled for each in await ties(deps, app.id)] == [False]

    await answer_delete_configuration(DeleteConfiguration(configuration_id=tie.id), deps)
    await told(deps, clock, replace(SHOP, data=(DB,)))
    assert await ties(deps, app.id) == ()
    assert (await covered(deps))["/v/shop_db/_data"].reason == "no_configuration"


async def test_what_is_gone_is_marked_and_is_the_same_app_when_it_is_back(
    deps: Deps, clock: Clock
) -> None:
    await told(deps, clock, SHOP)
    first = await only_app(deps)

    await told(deps, clock, engines=())
    assert (await only_app(deps)).vanished_at is None, "the engine is off, not the app"
    await told(deps, clock)
    await told(deps, clock)
    assert (await only_app(deps)).vanished_at is not None
    assert await said(deps, "app.vanished") == ["shop"]
    assert len(await ties(deps, first.id)) == 1, "its data may be there still"

    await told(deps, clock, SHOP)
    assert await only_app(deps) == first
    assert await said(deps, "app.discovered") == ["shop", "shop"]


async def test_an_older_word_and_one_of_a_lost_claim_change_nothing(
    deps: Deps, clock: Clock
) -> None:
    await told(deps, clock, SHOP)
    accepted = await answer_discover_device(DiscoverDevice(device_id=await device_id(deps)), deps)
    claim = (await claimed(deps, accepted.run_id)).claim
    empty = DeviceDiscovered(
        event_id=new_id(),
        occurred_at=clock() - timedelta(seconds=10),
        run_id=accepted.run_id,
        claim=claim,
        device_id=await device_id(deps),
        engines=("docker",),
        apps=(),
    )
    await on_device_discovered(empty, deps)
    await on_device_discovered(
        replace(empty, claim=claim - 1, occurred_at=clock.advance(hours=1)), deps
    )
    assert (await only_app(deps)).vanished_at is None


async def test_a_name_that_is_taken_gets_the_devices(deps: Deps, clock: Clock) -> None:
    await added_app(deps, "shop")
    lone = replace(SHOP, key="docker/container/shop")
    bare = replace(SHOP, key="docker/container/x", data=(), compose_files=(), env_files=())
    await told(deps, clock, SHOP, lone, bare)
    names = {each.name for each in await answer_list_apps(ListApps(), deps)}
    assert names == {"shop", "shop (nas)", "shop (nas) 2"}, "and who has no data is no app"


async def test_a_backup_reads_what_its_configuration_wants_of_the_app(
    deps: Deps, clock: Clock
) -> None:
    await protected_app(deps)
    await told(deps, clock, SHOP)
    app = next(each for each in await answer_list_apps(ListApps(), deps) if each.found)
    (tie,) = await ties(deps, app.id)

    async def paths() -> tuple[str, ...]:
        started = await answer_start_backup(StartBackup(configuration_id=tie.id), deps)
        run = await run_of(deps, started.run_id)
        claim = (await claimed(deps, run.id)).claim
        await on_snapshot_completed(snapshot_made(run, claim, clock()), deps)
        await on_run_completed(run_ended(run, claim, clock()), deps)
        row = await deps.pool.fetchval("select work from run where id = $1", run.id)
        return tuple(row["paths"])

    assert await paths() == app.paths
    await answer_update_configuration(
        UpdateConfiguration(configuration_id=tie.id, backup_env=False, backup_volumes=False), deps
    )
    assert await paths() == ("/srv/shop/compose.yml",)


async def test_coverage_tells_by_whom_since_when_and_why_not(deps: Deps, clock: Clock) -> None:
    declared = await protected_app(deps)
    await told(deps, clock, SHOP)
    app = next(each for each in await answer_list_apps(ListApps(), deps) if each.found)
    (tie,) = await ties(deps, app.id)
    before = await covered(deps)
    assert {path: each.reason for path, each in before.items()} == {
        "/srv/immich": "never_backed_up",
        "/v/shop_db/_data": "never_backed_up",
        "/srv/media": "never_backed_up",
        "/run/docker.sock": "socket",
    }
    assert before["/v/shop_db/_data"].configuration_id == tie.id
    assert [path for path, each in before.items() if not each.at_risk] == ["/run/docker.sock"]

    accepted = await answer_start_backup(StartBackup(configuration_id=tie.id), deps)
    run = await run_of(deps, accepted.run_id)
    claim = (await claimed(deps, run.id)).claim
    made = replace(snapshot_made(run, claim, clock()), paths=app.paths, duration_seconds=0)
    at = clock()
    await on_snapshot_completed(made, deps)
    await on_run_completed(run_ended(run, claim, at), deps)
    clock.advance(hours=2)
    await answer_update_configuration(
        UpdateConfiguration(configuration_id=tie.id, exclude_paths=("/srv/media",)), deps
    )

    after = await covered(deps)
    db = after["/v/shop_db/_data"]
    assert (db.protected, db.configuration_id, db.last_backup_at) == (True, tie.id, at)
    assert (db.age_seconds, db.name, db.device_name) == (7200, "shop_db", "nas")
    assert not after["/srv/media"].protected
    assert after["/srv/media"].reason == "excluded"
    assert after["/srv/immich"].configuration_id == declared.configuration_id


async def test_the_keeper_looks_every_minute_but_never_twice_at_once(
    deps: Deps, clock: Clock
) -> None:
    settings = replace(deps.settings, discover_seconds=60)
    deps = dataclasses.replace(deps, settings=settings)
    keeper = Keeper(deps)

    async def discoveries() -> list[UUID]:
        rows = await deps.pool.fetch(
            "select id, trigger from run where operation = 'discover' order by queued_at, id"
        )
        assert all(row["trigger"] == Trigger.SCHEDULE for row in rows)
        return [row["id"] for row in rows]

    await keeper.step()
    (first,) = await discoveries()
    clock.advance(minutes=5)
    await keeper.step()
    assert await discoveries() == [first], "it has not ended"

    await finished(deps, clock, first, SHOP)
    await keeper.step()
    second = (await discoveries())[-1]
    assert second != first
    await finished(deps, clock, second, SHOP)
    assert await discoveries() == [second], "only the newest is kept"
    clock.advance(seconds=30)
    await keeper.step()
    assert await discoveries() == [second]
    clock.advance(seconds=31)
    await keeper.step()
    third = (await discoveries())[-1]
    assert third != second

    await finished(deps, clock, third, engines=())
    clock.advance(seconds=90)
    await keeper.step()
    assert await discoveries() == [third], "without an engine it is looked for seldom"
    clock.advance(minutes=10)
    await keeper.step()
    assert await discoveries() != [third]


async def test_a_device_that_is_not_there_is_not_looked_at(deps: Deps) -> None:
    with pytest.raises(NotFoundError):
        await answer_discover_device(DiscoverDevice(device_id=new_id()), deps)


async def words_of_danger(deps: Deps) -> list[list[str]]:
    """The paths that each word on unprotected data names, and why."""
    return [
        [f"{each['path']} {each['reason']}" for each in told["places"]]
        for type_, told in await published(deps)
        if type_ == "data.unprotected"
    ]


async def test_unprotected_data_is_told_once_until_it_is_protected(
    deps: Deps, clock: Clock
) -> None:
    await told(deps, clock, SHOP)  # the default policy has no destination
    await told(deps, clock, SHOP)
    assert await words_of_danger(deps) == [
        ["/srv/media no_destination", "/v/shop_db/_data no_destination"]
    ]

    await protected_app(deps)
    await told(deps, clock, SHOP)
    (tie,) = await ties(deps, (await app_named(deps, "shop")).id)
    off = UpdateConfiguration(configuration_id=tie.id, enabled=False)
    await answer_update_configuration(off, deps)
    await told(deps, clock, SHOP)

    assert (await words_of_danger(deps))[1:] == [
        ["/srv/media disabled", "/v/shop_db/_data disabled"]
    ]


def volume(name: str, left_out: LeftOut | None = None) -> FoundData:
    return FoundData(
        kind=DataKind.VOLUME, name=name, path=f"/v/{name}/_data", services=(), left_out=left_out
    )


async def test_a_volume_of_nobody_is_told_of_at_the_second_look(deps: Deps, clock: Clock) -> None:
    await protected_app(deps)
    old = volume("old_db")
    others = (
        volume("tmp", left_out=LeftOut.NO_FILES),
        volume("off", left_out=LeftOut.SWITCHED_OFF),
    )

    await told(deps, clock, SHOP, loose=(old, *others))
    entries = await covered(deps)
    assert (entries[old.path].reason, entries[old.path].at_risk) == ("unused_volume", True)
    assert (entries[old.path].app_id, entries[old.path].name) == (None, "old_db")
    assert [entries[each.path].at_risk for each in others] == [False, False]
    assert await words_of_danger(deps) == []

    await told(deps, clock, SHOP, loose=(old, volume("newer")))
    await told(deps, clock, SHOP, engines=())
    assert await words_of_danger(deps) == [["/v/old_db/_data unused_volume"]]
    assert "/v/newer/_data" in await covered(deps), "an engine that is off says nothing of them"
    await told(deps, clock, SHOP)
    assert old.path not in await covered(deps)


async def test_a_volume_of_an_app_that_is_gone_or_declared_is_no_loose_one(
    deps: Deps, clock: Clock
) -> None:
    await protected_app(deps)
    await told(deps, clock, SHOP)
    declared = volume("mine")
    await answer_create_app(
        CreateApp(name="mine", device_id=await device_id(deps), paths=("/v/mine",)), deps
    )

    await told(deps, clock, loose=(DB, declared))

    entries = await answer_get_coverage(GetCoverage(), deps)
    assert [each.path for each in entries if each.app_id is None] == []
    assert [each.path for each in entries].count(DB.path) == 1


async def app_named(deps: Deps, name: str) -> AppView:
    return next(each for each in await answer_list_apps(ListApps(), deps) if each.name == name)


async def test_what_is_no_data_or_waits_for_its_first_backup_is_no_danger(
    deps: Deps, clock: Clock
) -> None:
    await protected_app(deps)

    await told(deps, clock, replace(SHOP, data=(DB, SOCKET)))

    assert await words_of_danger(deps) == []


async def test_labels_say_what_is_done_around_a_backup(deps: Deps, clock: Clock) -> None:
    hook = Hook(when=When.BEFORE, kind=HookKind.CONTAINER, command="sync", container="shop-db-1")
    await protected_app(deps)

    await told(deps, clock, replace(SHOP, quiet=Quiet.STOP, hooks=(hook,)))

    (tie,) = await ties(deps, (await app_named(deps, "shop")).id)
    assert (tie.consistency.quiet, tie.consistency.hooks) == (Quiet.STOP, (hook,))
    answer = await answer_start_backup(StartBackup(configuration_id=tie.id), deps)
    work = await deps.pool.fetchval("select work from run where id = $1", answer.run_id)
    assert work["consistency"]["containers"] == ["shop-db-1"]
    assert work["exclude_caches"] is True
    assert "/srv/media/**/.cache" in work["exclude_paths"]


async def test_what_an_engine_says_brings_the_next_look_forward(deps: Deps, clock: Clock) -> None:
    deps = dataclasses.replace(deps, settings=replace(deps.settings, discover_seconds=60))
    id, keeper = await device_id(deps), Keeper(deps)
    await keeper.step()
    first = await queued_looks(deps)
    change = EngineChanged(event_id=new_id(), occurred_at=clock(), device_id=id)

    await on_engine_changed(change, deps)
    await keeper.step()
    assert await queued_looks(deps) == first, "never two at once"
    clock.advance(seconds=1)
    await finished(deps, clock, first[0], SHOP)
    await keeper.step()
    (second,) = await queued_looks(deps)
    clock.advance(seconds=1)
    await finished(deps, clock, second, SHOP)
    await keeper.step()
    assert await queued_looks(deps) == []

    await deps.pool.execute("update device set discover_at = null")
    await on_engine_changed(change, deps)
    assert await deps.pool.fetchval("select discover_at from device") is None


async def queued_looks(deps: Deps) -> list[UUID]:
    rows = await deps.pool.fetch(
        "select id from run where operation = 'discover' and status in ('queued', 'in_progress')"
    )
    return [row["id"] for row in rows]


async def failed(deps: Deps, clock: Clock, id: UUID) -> None:
    """A look to which the device does not answer."""
    clock.advance(minutes=10)
    accepted = await answer_discover_device(DiscoverDevice(device_id=id), deps)
    run = await run_of(deps, accepted.run_id)
    claim = (await claimed(deps, run.id)).claim
    away = Failure(code="connection_timeout", message="nas does not answer.")
    ended = run_ended(run, claim, clock(), status=RunStatus.FAILED, failure=away)
    for _ in range(2):
        await on_run_completed(ended, deps)


async def words_of_the_unseen(deps: Deps) -> list[dict[str, Any]]:
    return [told for type_, told in await published(deps) if type_ == "device.unseen"]


async def test_a_device_that_nobody_can_look_at_is_told_of_once_until_somebody_can(
    deps: Deps, clock: Clock
) -> None:
    id = await device_id(deps)
    await protected_app(deps)
    await told(deps, clock, SHOP)
    assert (await covered(deps))[DB.path].unseen_since is None

    await failed(deps, clock, id)
    first = clock()
    await failed(deps, clock, id)
    assert await words_of_the_unseen(deps) == []
    for _ in range(3):
        await failed(deps, clock, id)

    (word,) = await words_of_the_unseen(deps)
    assert (word["device_name"], word["failure"]["code"]) == ("nas", "connection_timeout")
    assert datetime.fromisoformat(word["since"]) == first
    assert (await covered(deps))[DB.path].unseen_since == first
    (device,) = await answer_list_devices(ListDevices(), deps)
    assert device.unseen_since == first

    await told(deps, clock, SHOP)
    assert (await covered(deps))[DB.path].unseen_since is None
    for _ in range(3):
        await failed(deps, clock, id)
    assert len(await words_of_the_unseen(deps)) == 2


async def test_an_engine_that_is_off_is_out_of_sight_only_where_it_ran_apps(
    deps: Deps, clock: Clock
) -> None:
    for _ in range(4):
        await told(deps, clock, engines=())
    assert await words_of_the_unseen(deps) == []

    await told(deps, clock, SHOP)
    for _ in range(4):
        await told(deps, clock, engines=())

    (word,) = await words_of_the_unseen(deps)
    assert word["failure"]["code"] == "no_engine"
