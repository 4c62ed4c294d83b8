"""Limits and protection of a destination: kept, changed, given to runs, shown."""

from uuid import UUID

import pytest

from holdfast.catalog.answers.destinations import (
    answer_add_destination,
    answer_get_destination,
    answer_test_protection,
    answer_update_destination,
)
from holdfast.catalog.answers.devices import answer_list_devices
from holdfast.catalog.deps import Deps
from holdfast.catalog.store.destinations import (
    addresses,
    destination_became_ready,
    protection_tested,
)
from holdfast.catalog.store.pool import transaction
from holdfast.events.limits import Compression, Limits, RateWindow
from holdfast.events.queries import (
    AddDestination,
    GetDestination,
    ListDevices,
    TestProtection,
    UpdateDestination,
)
from holdfast.events.run import Attack, AttackOutcome, InitResult, ProtectionTestResult
from holdfast.events.views import DestinationView
from holdfast.events.work import DestinationAddress, DestinationSecrets, DestinationType
from holdfast.kernel.errors import InvalidRequestError, NotFoundError
from holdfast.kernel.ids import new_id
from support.destinations import ready_destination, sealed

pytestmark = pytest.mark.postgres

LIMITS = Limits(
    upload_kib=500,
    windows=(RateWindow(start="22:00", end="06:00", download_kib=9),),
    timezone="Europe/Berlin",
    compression=Compression.MAX,
    pack_size_mib=64,
)
RESULT = ProtectionTestResult(
    append_only=False,
    attacks=tuple(
        AttackOutcome(attack=each, refused=each is not Attack.PRUNE, answer="x") for each in Attack
    ),
    canary_removed=True,
)


async def address(deps: Deps, destination_id: UUID) -> DestinationAddress:
    async with transaction(deps.pool) as connection:
        return (await addresses(connection, [destination_id]))[destination_id]


async def shown(deps: Deps, destination_id: UUID) -> DestinationView:
    return await answer_get_destination(GetDestination(destination_id=destination_id), deps)


async def test_limits_of_a_new_one_reach_its_runs_and_its_view(deps: Deps) -> None:
    (device, *_) = await answer_list_devices(ListDevices(), deps)
    query = AddDestination(
        name="NAS",
        type=DestinationType.LOCAL,
        device_id=device.id,
        path="/mnt/nas",
        limits=LIMITS,
        append_only=True,
        sealed_secrets=sealed(deps, DestinationSecrets(repo_password="")),
    )

    accepted = await answer_add_destination(query, deps)

    assert accepted.destination_id is not None
    async with transaction(deps.pool) as connection:
        await destination_became_ready(
            connection, accepted.destination_id, InitResult(repository_id="id"), deps.now()
        )
    for each in (
        await address(deps, accepted.destination_id),
        await shown(deps, accepted.destination_id),
    ):
        assert (each.limits, each.append_only) == (LIMITS, True)


async def test_a_change_leaves_what_it_does_not_name(deps: Deps) -> None:
    nas = await ready_destination(deps, "NAS")
    await answer_update_destination(UpdateDestination(destination_id=nas, limits=LIMITS), deps)

    change = await answer_update_destination(
        UpdateDestination(destination_id=nas, max_runs=1), deps
    )

    view = change.destination
    assert (view.max_runs, view.limits, view.append_only) == (1, LIMITS, False)
    changed = UpdateDestination(destination_id=nas, append_only=True, limits=Limits())
    view = (await answer_update_destination(changed, deps)).destination
    assert (view.max_runs, view.limits.upload_kib, view.append_only) == (1, 0, True)
    assert (await address(deps, nas)).append_only


async def test_a_change_that_will_not_do_changes_nothing(deps: Deps) -> None:
    nas = await ready_destination(deps, "NAS")
    before = await shown(deps, nas)

    for wrong in (
        UpdateDestination(destination_id=nas, max_runs=0),
        UpdateDestination(destination_id=nas, limits=Limits(pack_size_mib=1)),
    ):
        with pytest.raises(InvalidRequestError):
            await answer_update_destination(wrong, deps)
    with pytest.raises(NotFoundError):
        await answer_update_destination(
            UpdateDestination(destination_id=new_id(), max_runs=2), deps
        )

    assert await shown(deps, nas) == before


async def test_a_protection_test_is_queued_with_the_address(deps: Deps) -> None:
    nas = await ready_destination(deps, "NAS")

    accepted = await answer_test_protection(TestProtection(destination_id=nas), deps)

    assert accepted.destination_id == nas
    with pytest.raises(NotFoundError):
        await answer_test_protection(TestProtection(destination_id=new_id()), deps)


async def test_it_protects_from_exactly_what_was_refused_on_the_way_of_now(deps: Deps) -> None:
    nas = await ready_destination(deps, "NAS")
    assert (await shown(deps, nas)).protection_tested_at is None

    async with transaction(deps.pool) as connection:
        await protection_tested(connection, nas, RESULT, deps.now())

    view = await shown(deps, nas)
    assert set(view.protects_from) == set(Attack) - {Attack.PRUNE}
    assert view.protection_tested_at == deps.now()
    await answer_update_destination(
        UpdateDestination(destination_id=nas, append_only=False, max_runs=2), deps
    )
    assert (await shown(deps, nas)).protects_from == view.protects_from

    # Another way to it: nothing is proved of that, nor by a test that began before.
    await answer_update_destination(UpdateDestination(destination_id=nas, append_only=True), deps)
    async with transaction(deps.pool) as connection:
        await protection_tested(connection, nas, RESULT, deps.now())
    view = await shown(deps, nas)
    assert (view.protects_from, view.protection_tested_at) == ((), None)
