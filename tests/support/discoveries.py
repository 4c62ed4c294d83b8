"""Discoveries of the first device, as an executor tells of them."""

from uuid import UUID

from msgspec.structs import replace

from holdfast.catalog.answers.apps import answer_list_apps
from holdfast.catalog.answers.configurations import (
    answer_list_configurations,
)
from holdfast.catalog.answers.devices import answer_list_devices
from holdfast.catalog.answers.discovery import answer_discover_device, answer_get_coverage
from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import (
    on_device_discovered,
    on_run_completed,
)
from holdfast.events.discovery import (
    DataKind,
    DeviceDiscovered,
    FoundApp,
    FoundData,
    FoundService,
    LeftOut,
)
from holdfast.events.queries import (
    DiscoverDevice,
    GetCoverage,
    ListApps,
    ListConfigurations,
    ListDevices,
)
from holdfast.events.run import DiscoverResult, Operation
from holdfast.events.views import AppView, ConfigurationView, CoverageEntry, RunView
from holdfast.kernel.ids import new_id
from support.catalog import Clock, published
from support.runs import claimed, run_ended, run_of

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


async def words_of_danger(deps: Deps) -> list[list[str]]:
    """The paths that each word on unprotected data names, and why."""
    return [
        [f"{each['path']} {each['reason']}" for each in told["places"]]
        for type_, told in await published(deps)
        if type_ == "data.unprotected"
    ]
