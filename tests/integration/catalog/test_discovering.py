"""What a discovery found becomes apps that are protected, and what is gone is marked."""

import dataclasses
from datetime import timedelta
from uuid import UUID

import pytest
from msgspec.structs import replace

from holdfast.catalog.answers.apps import answer_list_apps
from holdfast.catalog.answers.configurations import (
    answer_delete_configuration,
    answer_update_configuration,
)
from holdfast.catalog.answers.discovery import answer_discover_device
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
    DeviceDiscovered,
    EngineChanged,
)
from holdfast.events.queries import (
    CreatePolicy,
    DeleteConfiguration,
    DiscoverDevice,
    ExportSettings,
    ImportSettings,
    ListApps,
    StartBackup,
    UpdateConfiguration,
)
from holdfast.events.run import Trigger
from holdfast.events.views import AppView
from holdfast.kernel.errors import NotFoundError
from holdfast.kernel.ids import new_id
from support.catalog import Clock, published
from support.discoveries import (
    DB,
    OFF,
    SHOP,
    SOCKET,
    covered,
    device_id,
    finished,
    only_app,
    said,
    ties,
    told,
    words_of_danger,
)
from support.runs import added_app, claimed, protected_app, run_ended, run_of, snapshot_made

pytestmark = pytest.mark.postgres


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
