"""The recovery kit at the catalog: what is in it, who can read it, and whether it is up to date."""

import msgspec
import pytest

from holdfast.catalog.answers.destinations import answer_remove_destination
from holdfast.catalog.answers.recovery import answer_make_recovery_kit
from holdfast.catalog.answers.status import answer_get_status
from holdfast.catalog.deps import Deps
from holdfast.events.queries import (
    RECOVERY_KIT_PURPOSE,
    GetStatus,
    KitContent,
    MakeRecoveryKit,
    RemoveDestination,
)
from holdfast.events.views import RecoveryKitState
from holdfast.secretbox.envelope import ReceiverKey
from holdfast.secretbox.errors import InvalidPublicKeyError
from support.catalog import Clock, published
from support.destinations import ready_destination

pytestmark = pytest.mark.postgres


async def made(deps: Deps) -> KitContent:
    key = ReceiverKey.generate()
    answer = await answer_make_recovery_kit(MakeRecoveryKit(public_key=key.public), deps)
    kit = msgspec.json.decode(key.open(answer.sealed, RECOVERY_KIT_PURPOSE), type=KitContent)
    for each in kit.destinations:
        assert each.secrets.repo_password.encode() not in answer.sealed
    return kit


async def state(deps: Deps) -> RecoveryKitState:
    return (await answer_get_status(GetStatus(), deps)).recovery_kit.state


async def test_it_is_asked_for_until_it_has_every_destination(deps: Deps, clock: Clock) -> None:
    assert await state(deps) is RecoveryKitState.NOT_NEEDED
    await ready_destination(deps, "A")
    assert await state(deps) is RecoveryKitState.NEVER_MADE
    await made(deps)
    assert await state(deps) is RecoveryKitState.CURRENT
    assert (await answer_get_status(GetStatus(), deps)).recovery_kit.made_at == clock()
    await ready_destination(deps, "B")
    assert await state(deps) is RecoveryKitState.OUTDATED
    await made(deps)
    assert await state(deps) is RecoveryKitState.CURRENT


async def test_it_has_what_opens_each_and_removed_ones_too(deps: Deps) -> None:
    a, b = await ready_destination(deps, "A"), await ready_destination(deps, "B")
    await answer_remove_destination(RemoveDestination(destination_id=a, detach=True), deps)

    kit = await made(deps)

    assert [(each.address.destination_id, each.in_use) for each in kit.destinations] == [
        (b, True),
        (a, False),
    ]
    assert kit.instance_id == deps.instance_id
    assert {each.device for each in kit.destinations} == {"nas"}
    assert len({each.secrets.repo_password for each in kit.destinations}) == 2
    assert all(len(each.secrets.repo_password) == 52 for each in kit.destinations)


async def test_that_it_was_handed_out_is_told_without_a_secret(deps: Deps) -> None:
    destination_id = await ready_destination(deps, "A")
    kit = await made(deps)

    told = [payload for kind, payload in await published(deps) if kind == "recovery_kit.made"]

    assert [each["destination_ids"] for each in told] == [[str(destination_id)]]
    assert kit.destinations[0].secrets.repo_password not in str(told)


async def test_a_question_without_a_key_gets_nothing_and_counts_for_nothing(deps: Deps) -> None:
    await ready_destination(deps, "A")

    with pytest.raises(InvalidPublicKeyError):
        await answer_make_recovery_kit(MakeRecoveryKit(public_key=b"short"), deps)

    assert await state(deps) is RecoveryKitState.NEVER_MADE
