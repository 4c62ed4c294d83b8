"""Policies: made, changed, deleted, and one of them always the default."""

import asyncio
from typing import Any

import pytest

from holdfast.catalog.answers.apps import answer_create_app
from holdfast.catalog.answers.configurations import (
    answer_create_configuration,
    answer_delete_configuration,
)
from holdfast.catalog.answers.devices import answer_list_devices
from holdfast.catalog.answers.policies import (
    answer_create_policy,
    answer_delete_policy,
    answer_get_policy,
    answer_list_policies,
    answer_update_policy,
)
from holdfast.catalog.deps import Deps
from holdfast.events.queries import (
    CreateApp,
    CreateConfiguration,
    CreatePolicy,
    DeleteConfiguration,
    DeletePolicy,
    GetPolicy,
    ListDevices,
    ListPolicies,
    UpdatePolicy,
)
from holdfast.events.views import AppView, KeepRules, PolicyView
from holdfast.kernel.errors import ConflictError, InvalidRequestError, NotFoundError
from holdfast.kernel.ids import new_id
from support.catalog import Clock, published
from support.destinations import ready_destination

pytestmark = pytest.mark.postgres

HOURLY = CreatePolicy(
    name="Hourly", schedule="@hourly", keep=KeepRules(keep_hourly=24, keep_daily=7)
)


async def the_default(deps: Deps) -> PolicyView:
    (policy,) = [one for one in await answer_list_policies(ListPolicies(), deps) if one.is_default]
    return policy


async def an_app(deps: Deps) -> AppView:
    (device,) = await answer_list_devices(ListDevices(), deps)
    return await answer_create_app(
        CreateApp(name="Photos", device_id=device.id, paths=("/srv/photos",)), deps
    )


async def test_a_policy_is_made_with_its_destinations_in_order(deps: Deps) -> None:
    names = ("B", "A")
    wanted = tuple([await ready_destination(deps, name) for name in names])

    policy = await answer_create_policy(
        CreatePolicy(name="Two", schedule="0 3 * * *", destination_ids=(*wanted, wanted[0])), deps
    )

    assert tuple(one.id for one in policy.destinations) == wanted
    assert tuple(one.name for one in policy.destinations) == names
    assert policy.timezone == "Europe/Berlin"
    assert await answer_get_policy(GetPolicy(policy_id=policy.id), deps) == policy
    assert (await published(deps))[-1][1]["change"] == "created"


async def test_a_destination_that_is_not_ready_is_refused_and_nothing_is_made(deps: Deps) -> None:
    missing = new_id()

    with pytest.raises(InvalidRequestError, match=f"^destination_ids: .*{missing}"):
        await answer_create_policy(
            CreatePolicy(name="X", schedule="@daily", destination_ids=(missing,)), deps
        )

    assert len(await answer_list_policies(ListPolicies(), deps)) == 1
    assert await published(deps) == []


async def test_a_policy_s_name_is_unique(deps: Deps) -> None:
    with pytest.raises(ConflictError, match="Another policy has this name"):
        await answer_create_policy(
            CreatePolicy(name="Default Daily Backups", schedule="@daily"), deps
        )


async def test_another_default_takes_the_mark(deps: Deps) -> None:
    former = await the_default(deps)

    policy = await answer_create_policy(
        CreatePolicy(name="New default", schedule="@daily", is_default=True), deps
    )

    assert await the_default(deps) == policy
    told = {(event["policy_id"], event["change"]) for _, event in await published(deps)}
    assert told == {(str(former.id), "updated"), (str(policy.id), "created")}


async def test_two_defaults_at_once_end_as_one(deps: Deps) -> None:
    await asyncio.gather(
        *(
            answer_create_policy(
                CreatePolicy(name=f"P{number}", schedule="@daily", is_default=True), deps
            )
            for number in range(5)
        )
    )

    assert (await the_default(deps)).name.startswith("P")


async def test_the_default_mark_moves_but_is_never_dropped(deps: Deps) -> None:
    former = await the_default(deps)
    policy = await answer_create_policy(HOURLY, deps)

    with pytest.raises(ConflictError, match="always a default policy"):
        await answer_update_policy(UpdatePolicy(policy_id=former.id, is_default=False), deps)
    await answer_update_policy(UpdatePolicy(policy_id=policy.id, is_default=True), deps)

    assert (await the_default(deps)).id == policy.id


async def test_an_update_leaves_what_it_does_not_name(deps: Deps, clock: Clock) -> None:
    policy = await answer_create_policy(HOURLY, deps)
    clock.advance(hours=1)

    changed = await answer_update_policy(
        UpdatePolicy(policy_id=policy.id, keep_daily=0, description="x"), deps
    )

    assert (changed.keep_hourly, changed.keep_daily, changed.description) == (24, 0, "x")
    assert (changed.schedule, changed.created_at) == ("@hourly", policy.created_at)
    assert changed.updated_at == clock()
    assert await schedule_changed_at(deps, policy) == policy.created_at


async def test_a_changed_schedule_counts_from_now(deps: Deps, clock: Clock) -> None:
    policy = await answer_create_policy(HOURLY, deps)
    clock.advance(hours=1)

    await answer_update_policy(UpdatePolicy(policy_id=policy.id, schedule="0 5 * * *"), deps)

    assert await schedule_changed_at(deps, policy) == clock()


async def schedule_changed_at(deps: Deps, policy: PolicyView) -> object:
    return await deps.pool.fetchval(
        "select schedule_changed_at from policy where id = $1", policy.id
    )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"schedule": "nonsense"}, "schedule"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"name": ""}, "name"),
        ({"keep_daily": -1}, "keep_daily"),
        ({"destination_ids": (new_id(),)}, "destination_ids"),
    ],
)
async def test_an_update_that_will_not_do_changes_nothing(
    deps: Deps, fields: dict[str, Any], field: str
) -> None:
    policy = await answer_create_policy(HOURLY, deps)

    with pytest.raises(InvalidRequestError, match=f"^{field}"):
        await answer_update_policy(UpdatePolicy(policy_id=policy.id, **fields), deps)

    assert await answer_get_policy(GetPolicy(policy_id=policy.id), deps) == policy


async def test_destinations_can_be_exchanged_and_cleared(deps: Deps) -> None:
    first, second = [await ready_destination(deps, name) for name in ("A", "B")]
    policy = await answer_create_policy(HOURLY, deps)

    both = await answer_update_policy(
        UpdatePolicy(policy_id=policy.id, destination_ids=(second, first)), deps
    )
    none = await answer_update_policy(UpdatePolicy(policy_id=policy.id, destination_ids=()), deps)

    assert [one.id for one in both.destinations] == [second, first]
    assert none.destinations == ()


async def test_the_default_policy_cannot_be_deleted(deps: Deps) -> None:
    with pytest.raises(ConflictError, match="Make another policy the default"):
        await answer_delete_policy(DeletePolicy(policy_id=(await the_default(deps)).id), deps)


async def test_a_policy_in_use_cannot_be_deleted_until_its_configurations_are(deps: Deps) -> None:
    app = await an_app(deps)
    policy = await answer_create_policy(HOURLY, deps)
    tie = await answer_create_configuration(
        CreateConfiguration(app_id=app.id, policy_id=policy.id), deps
    )

    with pytest.raises(ConflictError, match="in use by Photos"):
        await answer_delete_policy(DeletePolicy(policy_id=policy.id), deps)
    await answer_delete_configuration(DeleteConfiguration(configuration_id=tie.id), deps)
    await answer_delete_policy(DeletePolicy(policy_id=policy.id), deps)

    with pytest.raises(NotFoundError):
        await answer_get_policy(GetPolicy(policy_id=policy.id), deps)
    assert (await published(deps))[-1][1]["change"] == "deleted"


async def test_what_is_not_there_is_told_as_such(deps: Deps) -> None:
    nobody = new_id()

    for question in (
        answer_get_policy(GetPolicy(policy_id=nobody), deps),
        answer_update_policy(UpdatePolicy(policy_id=nobody, name="x"), deps),
        answer_delete_policy(DeletePolicy(policy_id=nobody), deps),
    ):
        with pytest.raises(NotFoundError, match=str(nobody)):
            await question
