"""Destinations changed, and what is found in an adopted repository."""

from typing import Any
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace

from holdfast.catalog.answers.destinations import (
    answer_add_destination,
    answer_get_destination,
    answer_import_snapshots,
    answer_remove_destination,
    answer_test_destination,
    answer_update_destination,
)
from holdfast.catalog.answers.runs import answer_cancel_run
from holdfast.catalog.answers.snapshots import answer_list_snapshots
from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import on_run_completed, on_snapshot_completed, on_snapshots_found
from holdfast.events.queries import (
    AddDestination,
    CancelRun,
    Claim,
    GetDestination,
    ImportSnapshots,
    ListSnapshots,
    RemoveDestination,
    TestDestination,
    UpdateDestination,
    claim_purpose,
)
from holdfast.events.run import ImportResult, InitResult, ProbeResult, RunStatus
from holdfast.events.snapshot import FoundSnapshot, SnapshotsFound
from holdfast.events.views import DestinationView
from holdfast.events.work import DestinationSecrets, DestinationType
from holdfast.kernel.errors import ConflictError, InvalidRequestError, NotFoundError
from holdfast.kernel.ids import new_id
from holdfast.secretbox.envelope import ReceiverKey
from support.catalog import published
from support.destinations import add_local, ready_destination, sealed
from support.runs import (
    STAYS,
    claimed,
    protected_app,
    run_ended,
    run_of,
    snapshot_made,
    started,
)

pytestmark = pytest.mark.postgres

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHgJ5OGwpE/Qk/nx4c7syn8ADmoOIZKtGr4+SJilxCyl"
FINGERPRINT = "SHA256:uUwBlhjSRB9baoYpqzAzmPX68OPPMfUYEDw10qL/MBE"


def given(deps: Deps, **secrets: str) -> bytes:
    return sealed(deps, DestinationSecrets(**{"repo_password": "", **secrets}))


async def sftp_destination(deps: Deps) -> UUID:
    """One that is ready, with a password."""
    accepted = await answer_add_destination(
        AddDestination(
            name="nas",
            type=DestinationType.SFTP,
            sftp_host="nas.lan",
            sftp_user="backup",
            path="/volume1",
            sealed_secrets=given(deps, sftp_password="old"),
        ),
        deps,
    )
    claim = (await claimed(deps, accepted.run_id)).claim
    result = InitResult(repository_id="r", config_digest="d", host_key=HOST_KEY)
    run = await run_of(deps, accepted.run_id)
    await on_run_completed(run_ended(run, claim, deps.now(), result=result), deps)
    assert accepted.destination_id is not None
    return accepted.destination_id


async def view_of(deps: Deps, destination_id: UUID) -> DestinationView:
    return await answer_get_destination(GetDestination(destination_id=destination_id), deps)


async def secrets_for(
    deps: Deps, run_id: UUID, destination_id: UUID
) -> tuple[Claim, DestinationSecrets]:
    """What an executor that claims the run is given."""
    key = ReceiverKey.generate()
    claim = await claimed(deps, run_id, key=key)
    plain = key.open(claim.sealed_secrets, claim_purpose(run_id, claim.claim))
    opened = msgspec.json.decode(plain, type=dict[UUID, DestinationSecrets])
    return claim, opened[destination_id]


async def in_use(deps: Deps, destination_id: UUID) -> DestinationSecrets:
    """What the next run is given."""
    tested = await answer_test_destination(TestDestination(destination_id=destination_id), deps)
    _, secrets = await secrets_for(deps, tested.run_id, destination_id)
    await answer_cancel_run(CancelRun(run_id=tested.run_id), deps)
    return secrets


async def test_the_host_key_that_was_seen_first_is_pinned_and_shown(deps: Deps) -> None:
    view = await view_of(deps, await sftp_destination(deps))

    assert view.sftp_host_key == HOST_KEY
    assert view.sftp_host_key_fingerprint == FINGERPRINT
    assert (view.sftp_host, view.sftp_port, view.sftp_user, view.sftp_path) == (
        "nas.lan",
        22,
        "backup",
        "/volume1/homelab-backups",
    )


async def test_what_needs_no_test_changes_at_once(deps: Deps) -> None:
    destination_id = await ready_destination(deps, "A")
    told = len(await published(deps))

    change = await answer_update_destination(
        UpdateDestination(destination_id=destination_id, name="B", enabled=False, max_runs=2),
        deps,
    )

    assert change.run_id is None
    assert (change.destination.name, change.destination.enabled, change.destination.max_runs) == (
        "B",
        False,
        2,
    )
    ((kind, event),) = (await published(deps))[told:]
    assert (kind, event["change"]) == ("destination.changed", "updated")


async def test_credentials_replace_the_old_ones_only_after_their_run(deps: Deps) -> None:
    destination_id = await sftp_destination(deps)

    change = await answer_update_destination(
        UpdateDestination(
            destination_id=destination_id, sealed_secrets=given(deps, sftp_password="new")
        ),
        deps,
    )

    assert change.run_id is not None
    assert (await in_use(deps, destination_id)).sftp_password == "old"
    claim, tried = await secrets_for(deps, change.run_id, destination_id)
    assert tried.sftp_password == "new"
    assert tried.repo_password == (await in_use(deps, destination_id)).repo_password
    result = ProbeResult(repository_id="r", config_digest="e", host_key=HOST_KEY)
    run = await run_of(deps, change.run_id)
    ended = run_ended(run, claim.claim, deps.now(), result=result)
    await on_run_completed(ended, deps)
    await on_run_completed(ended, deps)
    assert (await in_use(deps, destination_id)).sftp_password == "new"
    assert await deps.pool.fetchval("select count(*) from credential_change") == 0
    assert await deps.pool.fetchval("select config_digest from destination") == "e"


@pytest.mark.parametrize("cancelled", [False, True])
async def test_credentials_that_fail_leave_the_old_ones(deps: Deps, cancelled: bool) -> None:
    destination_id = await sftp_destination(deps)
    query = UpdateDestination(
        destination_id=destination_id,
        sftp_host_key=FINGERPRINT,
        sealed_secrets=given(deps, sftp_password="wrong"),
    )
    change = await answer_update_destination(query, deps)
    assert change.run_id is not None
    claim, _ = await secrets_for(deps, change.run_id, destination_id)
    run = await run_of(deps, change.run_id)

    if cancelled:
        end = run_ended(run, claim.claim, deps.now(), status=RunStatus.CANCELLED)
    else:
        end = run_ended(run, claim.claim, deps.now(), status=RunStatus.FAILED, failure=STAYS)
    await on_run_completed(end, deps)

    assert (await in_use(deps, destination_id)).sftp_password == "old"
    assert (await view_of(deps, destination_id)).sftp_host_key == HOST_KEY
    # And the way is free for another try.
    assert (await answer_update_destination(query, deps)).run_id is not None


async def test_two_changes_are_not_tried_at_once(deps: Deps) -> None:
    destination_id = await sftp_destination(deps)
    query = UpdateDestination(
        destination_id=destination_id, sealed_secrets=given(deps, sftp_password="new")
    )
    await answer_update_destination(query, deps)
    runs = await deps.pool.fetchval("select count(*) from run")

    with pytest.raises(ConflictError, match="are being tried"):
        await answer_update_destination(query, deps)

    assert await deps.pool.fetchval("select count(*) from run") == runs


@pytest.mark.parametrize(
    ("fields", "secrets"),
    [
        ({}, {"s3_access_key": "AK"}),
        ({"s3_ca_certificate": ""}, {}),
        ({"max_runs": 0}, {}),
        ({"name": ""}, {}),
    ],
)
async def test_what_will_not_do_changes_nothing(
    deps: Deps, fields: dict[str, Any], secrets: dict[str, str]
) -> None:
    destination_id = await sftp_destination(deps)
    before = await deps.pool.fetchrow("select * from destination")
    query = UpdateDestination(
        destination_id=destination_id, sealed_secrets=given(deps, **secrets), **fields
    )

    with pytest.raises(InvalidRequestError):
        await answer_update_destination(query, deps)
    with pytest.raises(NotFoundError):
        await answer_update_destination(replace(query, destination_id=new_id()), deps)

    assert await deps.pool.fetchrow("select * from destination") == before


def found(restic_id: str, *tags: str, **fields: Any) -> dict[str, Any]:
    return {
        "restic_snapshot_id": restic_id,
        "hostname": "laptop",
        "paths": ("/home/anna",),
        "tags": tags,
        "total_bytes_processed": 7,
        "duration_seconds": 2.5,
        **fields,
    }


async def tell(deps: Deps, destination_id: UUID, *snapshots: dict[str, Any]) -> None:
    """An import run that finds these, and says so twice."""
    accepted = await answer_import_snapshots(ImportSnapshots(destination_id=destination_id), deps)
    claim = (await claimed(deps, accepted.run_id)).claim
    event = SnapshotsFound(
        event_id=new_id(),
        occurred_at=deps.now(),
        run_id=accepted.run_id,
        claim=claim,
        destination_id=destination_id,
        snapshots=tuple(FoundSnapshot(taken_at=deps.now(), **each) for each in snapshots),
    )
    await on_snapshots_found(event, deps)
    run = await run_of(deps, accepted.run_id)
    result = ImportResult(snapshots=len(snapshots))
    await on_run_completed(run_ended(run, claim, deps.now(), result=result), deps)
    await on_snapshots_found(event, deps)


async def test_found_snapshots_go_to_their_app_or_to_nobody(deps: Deps) -> None:
    protected = await protected_app(deps)
    (destination_id,) = protected.destination_ids
    ours = (f"app:{protected.app.id}", f"configuration:{protected.configuration_id}")

    await tell(
        deps,
        destination_id,
        found("a1", *ours),
        found("b2", f"app:{protected.app.id}", f"configuration:{new_id()}"),
        found("c3", "app:photos", "configuration:'; drop table run"),
        found("d4"),
    )

    query = ListSnapshots(destination_id=destination_id)
    rows = {
        each.restic_snapshot_id: each
        for each in (await answer_list_snapshots(query, deps)).snapshots
    }
    assert {name: (each.app_id, each.configuration_id) for name, each in rows.items()} == {
        "a1": (protected.app.id, protected.configuration_id),
        "b2": (protected.app.id, None),
        "c3": (None, None),
        "d4": (None, None),
    }
    assert (rows["d4"].hostname, rows["d4"].paths, rows["d4"].total_size) == (
        "laptop",
        ("/home/anna",),
        7,
    )
    assert rows["d4"].completed_at is not None
    assert (rows["d4"].completed_at - rows["d4"].started_at).total_seconds() == 2.5


async def test_what_is_on_record_is_not_found_again(deps: Deps) -> None:
    protected = await protected_app(deps)
    run = await started(deps, protected)
    claim = (await claimed(deps, run.id)).claim
    await on_snapshot_completed(snapshot_made(run, claim, deps.now(), restic_id="aa11"), deps)
    await on_run_completed(run_ended(run, claim, deps.now()), deps)

    await tell(deps, protected.destination_ids[0], found("aa11"))

    (row,) = (await answer_list_snapshots(ListSnapshots(), deps)).snapshots
    assert row.run_id == run.id


async def test_a_place_that_was_removed_and_is_adopted_has_its_history_again(deps: Deps) -> None:
    protected = await protected_app(deps)
    run = await started(deps, protected)
    claim = (await claimed(deps, run.id)).claim
    await on_snapshot_completed(snapshot_made(run, claim, deps.now(), restic_id="aa11"), deps)
    await on_run_completed(run_ended(run, claim, deps.now()), deps)
    (old,) = protected.destination_ids
    await answer_remove_destination(RemoveDestination(destination_id=old, detach=True), deps)

    accepted = await add_local(deps, "A")
    assert accepted.destination_id is not None
    claim = (await claimed(deps, accepted.run_id)).claim
    result = InitResult(repository_id="repository-of-A", adopted=True)
    init = await run_of(deps, accepted.run_id)
    await on_run_completed(run_ended(init, claim, deps.now(), result=result), deps)
    # Adopting it has queued the run that looks inside.
    assert await deps.pool.fetchval(
        "select count(*) from run where operation = 'import' and $1 = any(destination_ids)",
        accepted.destination_id,
    )
    await tell(deps, accepted.destination_id, found("aa11"), found("bb22"))

    query = ListSnapshots(destination_id=accepted.destination_id)
    rows = (await answer_list_snapshots(query, deps)).snapshots
    assert {(each.restic_snapshot_id, each.app_id) for each in rows} == {
        ("aa11", protected.app.id),
        ("bb22", None),
    }
    assert (await answer_list_snapshots(ListSnapshots(destination_id=old), deps)).snapshots == ()
