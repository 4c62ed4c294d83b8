"""From where a snapshot is restored when several destinations have it, and what opens them."""

from typing import Any
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace

from holdfast.catalog.answers.app_restores import answer_restore_app
from holdfast.catalog.answers.snapshots import answer_restore_snapshot
from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import on_run_completed, on_snapshot_completed
from holdfast.catalog.store.verification import add_damage
from holdfast.events.queries import RestoreApp, RestoreSnapshot, claim_purpose
from holdfast.events.work import DestinationSecrets
from holdfast.secretbox.envelope import ReceiverKey
from support.catalog import Clock
from support.runs import Protected, claimed, claimed_run, run_ended, snapshot_made

pytestmark = pytest.mark.postgres

IDS = ("aa11", "bb22")


@pytest.fixture
async def twice(deps: Deps, clock: Clock) -> Protected:
    """An app whose snapshot is at A and at B, with the same content."""
    protected, run, claim = await claimed_run(deps, "A", "B")
    for place, restic_id in enumerate(IDS):
        made = snapshot_made(run, claim, clock(), place=place, restic_id=restic_id)
        await on_snapshot_completed(replace(made, tree="7e" * 32), deps)
    await on_run_completed(run_ended(run, claim, clock()), deps)
    return protected


async def asked(deps: Deps, twice: Protected, kind: str, restic_id: str) -> tuple[UUID, Any]:
    """The run and its work, when the snapshot with that id is to be restored."""
    snapshot_id = await deps.pool.fetchval(
        "select id from snapshot where restic_snapshot_id = $1", restic_id
    )
    if kind == "files":
        accepted = await answer_restore_snapshot(
            RestoreSnapshot(
                snapshot_id=snapshot_id,
                target_device_id=twice.app.device_id,
                target_path="/tmp/back",
            ),
            deps,
        )
    else:
        accepted = await answer_restore_app(
            RestoreApp(app_id=twice.app.id, snapshot_id=snapshot_id), deps
        )
    run_id = accepted.run_id
    return run_id, await deps.pool.fetchval("select work from run where id = $1", run_id)


def places(work: Any) -> list[tuple[str, str]]:
    return [
        (each["address"]["name"], each["restic_snapshot_id"]) for each in (work, *work["others"])
    ]


@pytest.mark.parametrize("kind", ["files", "app"])
async def test_of_equals_the_one_that_was_asked_for_is_first_and_a_damaged_one_last(
    deps: Deps, clock: Clock, twice: Protected, kind: str
) -> None:
    run_id, work = await asked(deps, twice, kind, "bb22")
    assert places(work) == [("B", "bb22"), ("A", "aa11")]

    async with deps.pool.acquire() as connection:
        hurt = twice.destination_ids[1]
        await add_damage(connection, hurt, ("d7",), (), ("bb22",), clock(), run_id)
    _, work = await asked(deps, twice, kind, "bb22")
    assert places(work) == [("A", "aa11"), ("B", "bb22")]


@pytest.mark.parametrize("kind", ["files", "app"])
async def test_the_executor_is_given_what_opens_all_of_them(
    deps: Deps, twice: Protected, kind: str
) -> None:
    run_id, _ = await asked(deps, twice, kind, "aa11")
    key = ReceiverKey.generate()

    claim = await claimed(deps, run_id, key=key)

    assert claim.granted, claim.reason
    plain = key.open(claim.sealed_secrets, claim_purpose(run_id, claim.claim))
    secrets = msgspec.json.decode(plain, type=dict[UUID, DestinationSecrets])
    assert set(secrets) >= set(twice.destination_ids)
    assert all(secrets[each].repo_password for each in twice.destination_ids)
