"""Volumes that nobody uses, and devices that nobody can look at."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from holdfast.catalog.answers.apps import answer_create_app
from holdfast.catalog.answers.devices import answer_list_devices
from holdfast.catalog.answers.discovery import answer_discover_device, answer_get_coverage
from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import (
    on_run_completed,
)
from holdfast.events.discovery import (
    DataKind,
    FoundData,
    LeftOut,
)
from holdfast.events.queries import (
    CreateApp,
    DiscoverDevice,
    GetCoverage,
    ListDevices,
)
from holdfast.events.run import Failure, RunStatus
from support.catalog import Clock, published
from support.discoveries import (
    DB,
    SHOP,
    covered,
    device_id,
    told,
    words_of_danger,
)
from support.runs import claimed, protected_app, run_ended, run_of

pytestmark = pytest.mark.postgres


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
