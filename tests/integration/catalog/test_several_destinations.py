"""What the catalog knows of runs with several destinations."""

from typing import TypeVar
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace

from holdfast.catalog.answers.destinations import answer_heal_destination
from holdfast.catalog.answers.policies import answer_create_policy, answer_update_policy
from holdfast.catalog.answers.runs import answer_get_run
from holdfast.catalog.answers.snapshots import answer_get_snapshot
from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import on_run_completed, on_snapshot_completed
from holdfast.events.base import Work
from holdfast.events.queries import (
    CreatePolicy,
    GetRun,
    GetSnapshot,
    HealDestination,
    UpdatePolicy,
    claim_purpose,
)
from holdfast.events.run import HealResult, Operation
from holdfast.events.snapshot import ReplicasDiffer, Way
from holdfast.events.views import RunView
from holdfast.events.work import (
    BackupRequested,
    DestinationSecrets,
    FanOut,
    HealRequested,
    InitRequested,
)
from holdfast.kernel.errors import NotFoundError
from holdfast.kernel.ids import new_id
from holdfast.secretbox.envelope import ReceiverKey
from support.catalog import Clock, published
from support.destinations import add_local, ready_destination
from support.runs import (
    claimed,
    protected_app,
    run_ended,
    run_of,
    snapshot_id_of,
    snapshot_made,
    started,
)

pytestmark = pytest.mark.postgres

TREE, OTHER_TREE = "a" * 64, "b" * 64


async def test_a_policy_mirrors_unless_told_otherwise(deps: Deps) -> None:
    made = await answer_create_policy(CreatePolicy(name="house", schedule="@daily"), deps)
    assert made.fan_out is FanOut.MIRROR

    changed = await answer_update_policy(
        UpdatePolicy(policy_id=made.id, fan_out=FanOut.PARALLEL), deps
    )
    kept = await answer_update_policy(UpdatePolicy(policy_id=made.id, name="home"), deps)

    assert changed.fan_out is kept.fan_out is FanOut.PARALLEL


async def test_a_new_destination_is_made_like_the_first_and_gets_its_secrets(deps: Deps) -> None:
    alone = await add_local(deps, "alone")
    assert (await work_of_run(deps, alone.run_id, InitRequested)).first is None
    first = await ready_destination(deps, "first")

    accepted = await add_local(deps, "second")

    work = await work_of_run(deps, accepted.run_id, InitRequested)
    assert work.first is not None
    assert (work.first.destination_id, work.first.repository_id) == (first, "repository-of-first")
    assert await secrets_given(deps, accepted.run_id) == {str(first), str(accepted.destination_id)}


async def test_a_repair_is_told_of_all_others_and_replaces_what_was_gone(
    deps: Deps, clock: Clock
) -> None:
    run = await two_snapshots(deps, clock, Way.MIRROR, TREE)
    hurt, other = run.destination_ids

    accepted = await answer_heal_destination(HealDestination(destination_id=hurt), deps)

    work = await work_of_run(deps, accepted.run_id, HealRequested)
    assert [each.destination_id for each in work.siblings] == [other]
    view = await run_of(deps, accepted.run_id)
    assert (view.operation, view.destination_ids) == (Operation.HEAL, (hurt,))
    assert await secrets_given(deps, accepted.run_id) == {str(hurt), str(other)}

    result = HealResult(snapshots_restored=1, replaced={"0" * 64: "f" * 64})
    await on_run_completed(run_ended(view, 1, clock(), result=result), deps)

    row = await answer_get_snapshot(GetSnapshot(snapshot_id=snapshot_id_of(run, 0)), deps)
    assert row.restic_snapshot_id == "f" * 64
    untouched = await answer_get_snapshot(GetSnapshot(snapshot_id=snapshot_id_of(run, 1)), deps)
    assert untouched.restic_snapshot_id == "1" * 64


async def test_nothing_is_healed_that_is_not_there(deps: Deps) -> None:
    with pytest.raises(NotFoundError):
        await answer_heal_destination(HealDestination(destination_id=new_id()), deps)


@pytest.mark.parametrize(
    ("way", "tree", "differ", "damage"),
    [
        (Way.MIRROR, TREE, False, False),
        (Way.BACKUP, OTHER_TREE, True, False),
        (Way.COPY, OTHER_TREE, True, True),
        (Way.BACKUP, "", False, False),
    ],
)
async def test_snapshots_that_are_not_the_same_are_told_once(
    deps: Deps, clock: Clock, way: Way, tree: str, differ: bool, damage: bool
) -> None:
    run = await two_snapshots(deps, clock, way, tree)

    told = [each for type_, each in await published(deps) if type_ == ReplicasDiffer.TYPE]
    events = [msgspec.convert(each, ReplicasDiffer, strict=False) for each in told]

    view = await answer_get_run(GetRun(run_id=run.id), deps)
    assert view.replicas_differ is differ
    assert len(events) == differ
    for event in events:
        assert event.is_damage is damage
        assert event.run_id == run.id
        assert [(each.tree, each.way) for each in event.snapshots] == [
            (TREE, Way.BACKUP),
            (tree, way),
        ]


W = TypeVar("W", bound=Work)


async def work_of_run(deps: Deps, run_id: UUID, kind: type[W]) -> W:
    """What an executor is given for it."""
    row = await deps.pool.fetchrow("select work_type, work from run where id = $1", run_id)
    assert row is not None
    assert row["work_type"] == kind.TYPE
    return msgspec.convert(row["work"], kind, strict=False)


async def secrets_given(deps: Deps, run_id: UUID) -> set[str]:
    """Of which destinations a claim of the run opens the secrets."""
    key = ReceiverKey.generate()
    claim = await claimed(deps, run_id, key=key)
    plain = key.open(claim.sealed_secrets, claim_purpose(run_id, claim.claim))
    return set(msgspec.json.decode(plain, type=dict[str, DestinationSecrets]))


async def two_snapshots(deps: Deps, clock: Clock, way: Way, tree: str) -> RunView:
    """A run that ended with a snapshot at each of two destinations."""
    protected = await protected_app(deps, destinations=("A", "B"))
    run = await started(deps, protected)
    work = await work_of_run(deps, run.id, BackupRequested)
    assert work.fan_out is FanOut.MIRROR
    claim = await claimed(deps, run.id)
    for place, (its_way, its_tree) in enumerate([(Way.BACKUP, TREE), (way, tree)]):
        made = snapshot_made(run, claim.claim, clock(), place=place, restic_id=f"{place}" * 64)
        await on_snapshot_completed(replace(made, tree=its_tree, way=its_way), deps)
    ended = run_ended(run, claim.claim, clock())
    await on_run_completed(ended, deps)
    await on_run_completed(ended, deps)
    return run
