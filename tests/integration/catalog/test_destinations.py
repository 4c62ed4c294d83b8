"""Destinations: wanted, tried, used, out of use."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from msgspec.structs import replace

from holdfast.catalog.answers.apps import answer_create_app
from holdfast.catalog.answers.configurations import answer_list_configurations
from holdfast.catalog.answers.destinations import (
    answer_add_destination,
    answer_get_destination,
    answer_list_destinations,
    answer_remove_destination,
    answer_test_destination,
)
from holdfast.catalog.answers.devices import answer_list_devices
from holdfast.catalog.answers.policies import answer_list_policies
from holdfast.catalog.deps import Deps
from holdfast.catalog.store.destinations import (
    addresses,
    destination_became_ready,
    destination_failed,
    sealed_secrets,
)
from holdfast.catalog.store.pool import transaction
from holdfast.events.queries import (
    AddDestination,
    CreateApp,
    GetDestination,
    ListConfigurations,
    ListDestinations,
    ListDevices,
    ListPolicies,
    RemoveDestination,
    TestDestination,
)
from holdfast.events.run import InitResult, RunStatus
from holdfast.events.work import DestinationSecrets, DestinationType
from holdfast.kernel.errors import ConflictError, InvalidRequestError, NotFoundError
from holdfast.kernel.ids import new_id
from holdfast.secretbox.errors import SealBrokenError
from support.catalog import Clock, published
from support.destinations import add_local, ready_destination, sealed

pytestmark = pytest.mark.postgres

S3 = AddDestination(
    name="B2", type=DestinationType.S3, s3_endpoint="http://s3.lan:9000", s3_bucket="backups"
)


async def secrets_of(deps: Deps, destination_id: UUID | None) -> DestinationSecrets:
    assert destination_id is not None
    async with deps.pool.acquire() as connection:
        (row,) = await sealed_secrets(connection, [destination_id])
    return deps.secrets.open_destination(row)


async def test_a_wanted_destination_is_not_seen_and_its_init_run_is_queued(deps: Deps) -> None:
    accepted = await add_local(deps, "NAS", "/mnt/nfs")

    assert accepted.status is RunStatus.IN_PROGRESS  # nothing is in its way
    assert await answer_list_destinations(ListDestinations(), deps) == ()
    run = await deps.pool.fetchrow("select * from run where id = $1", accepted.run_id)
    assert run is not None
    assert (run["operation"], run["exclusive"]) == ("init", True)
    assert run["destination_ids"] == [accepted.destination_id]
    assert run["work"]["parent_path"] == "/mnt/nfs"
    assert run["work"]["address"]["local_path"] == "/mnt/nfs/homelab-backups"
    assert run["work"]["address"]["cheap_key"] is True
    assert deps.wake.is_set()


async def test_a_password_is_made_when_none_is_given(deps: Deps) -> None:
    first, second = [await add_local(deps, name) for name in ("A", "B")]

    passwords = {
        (await secrets_of(deps, one.destination_id)).repo_password for one in (first, second)
    }

    assert len(passwords) == 2
    assert all(len(password) >= 43 for password in passwords)


async def test_a_given_password_is_kept_sealed_and_never_plain(deps: Deps) -> None:
    accepted = await add_local(deps, "NAS", repo_password="correct horse battery")

    kept = await secrets_of(deps, accepted.destination_id)
    assert kept.repo_password == "correct horse battery"
    row = await deps.pool.fetchrow("select * from destination")
    assert row is not None
    assert row["password_is_ours"] is False
    assert b"correct horse" not in bytes(row["sealed_secrets"])
    assert "correct horse" not in str(await deps.pool.fetch("select * from run"))


async def test_s3_credentials_come_sealed_and_both_parts_are_needed(deps: Deps) -> None:
    full = DestinationSecrets(repo_password="", s3_access_key="AK", s3_secret_key="SK")

    with pytest.raises(InvalidRequestError, match=r"^access_key is empty"):
        await answer_add_destination(S3, deps)
    with pytest.raises(InvalidRequestError, match="cannot be opened"):
        await answer_add_destination(replaced(S3, sealed_secrets=b"nonsense"), deps)
    accepted = await answer_add_destination(replaced(S3, sealed_secrets=sealed(deps, full)), deps)

    kept = await secrets_of(deps, accepted.destination_id)
    assert (kept.s3_access_key, kept.s3_secret_key) == ("AK", "SK")
    assert kept.repo_password


def replaced(query: AddDestination, **fields: bytes) -> AddDestination:
    return replace(query, **fields)


async def test_name_and_place_are_unique_while_in_use(deps: Deps) -> None:
    await add_local(deps, "A", "/mnt/a")

    with pytest.raises(ConflictError, match="has this name"):
        await add_local(deps, "A", "/mnt/b")
    with pytest.raises(ConflictError, match="is at this place"):
        await add_local(deps, "B", "/mnt//a/")

    assert await deps.pool.fetchval("select count(*) from run") == 1


async def test_a_device_that_is_not_there_is_refused(deps: Deps) -> None:
    query = AddDestination(name="X", type=DestinationType.LOCAL, device_id=new_id(), path="/mnt")

    with pytest.raises(InvalidRequestError, match=r"^device_id"):
        await answer_add_destination(query, deps)


async def test_the_first_one_that_is_ready_goes_to_the_default_policy(deps: Deps) -> None:
    first = await ready_destination(deps, "A")
    await ready_destination(deps, "B")

    (policy,) = await answer_list_policies(ListPolicies(), deps)
    assert [one.id for one in policy.destinations] == [first]
    view = await answer_get_destination(GetDestination(destination_id=first), deps)
    assert (view.name, view.repo_initialized, view.repository_id) == (
        "A",
        True,
        "repository-of-A",
    )
    assert (view.local_path, view.s3_endpoint) == ("/mnt/A/homelab-backups", None)
    told = [type_ for type_, _ in await published(deps) if type_.endswith(".changed")]
    assert told == ["destination.changed", "policy.changed", "destination.changed"]


async def test_told_twice_that_it_is_ready_nothing_more_happens(deps: Deps) -> None:
    destination_id = await ready_destination(deps, "A")
    told = len(await published(deps))

    async with transaction(deps.pool) as connection:
        another = InitResult(repository_id="another")
        assert not await destination_became_ready(connection, destination_id, another, deps.now())
        await destination_failed(connection, destination_id, deps.now(), tried=True)

    view = await answer_get_destination(GetDestination(destination_id=destination_id), deps)
    assert view.repository_id == "repository-of-A"
    assert len(await published(deps)) == told


async def test_of_one_that_no_executor_tried_nothing_stays(deps: Deps) -> None:
    accepted = await add_local(deps, "A", "/mnt/a")
    assert accepted.destination_id is not None

    async with transaction(deps.pool) as connection:
        await destination_failed(connection, accepted.destination_id, deps.now(), tried=False)

    assert await deps.pool.fetchval("select count(*) from destination") == 0
    await add_local(deps, "A", "/mnt/a")


async def test_a_test_queues_a_probe_of_a_destination_in_use(deps: Deps) -> None:
    wanted = await add_local(deps, "B")
    assert wanted.destination_id is not None
    destination_id = await ready_destination(deps, "A")

    accepted = await answer_test_destination(TestDestination(destination_id=destination_id), deps)

    work = await deps.pool.fetchval("select work from run where id = $1", accepted.run_id)
    assert work["address"]["repository_id"] == "repository-of-A"
    assert work["site"] == "main"
    with pytest.raises(NotFoundError):
        await answer_test_destination(TestDestination(destination_id=wanted.destination_id), deps)


async def test_one_that_a_policy_lists_is_removed_only_when_asked_to_detach(deps: Deps) -> None:
    destination_id = await ready_destination(deps, "A")

    with pytest.raises(ConflictError, match="in use by Default Daily Backups"):
        await answer_remove_destination(RemoveDestination(destination_id=destination_id), deps)
    before = len(await published(deps))
    await answer_remove_destination(
        RemoveDestination(destination_id=destination_id, detach=True), deps
    )

    (policy,) = await answer_list_policies(ListPolicies(), deps)
    assert policy.destinations == ()
    assert await answer_list_destinations(ListDestinations(), deps) == ()
    assert [type_ for type_, _ in await published(deps, since=before)] == [
        "policy.changed",
        "destination.changed",
    ]
    with pytest.raises(NotFoundError):
        await answer_remove_destination(RemoveDestination(destination_id=destination_id), deps)


async def test_one_with_an_unfinished_run_is_not_removed(deps: Deps) -> None:
    destination_id = await ready_destination(deps, "A")
    await answer_test_destination(TestDestination(destination_id=destination_id), deps)

    with pytest.raises(ConflictError, match="has not ended"):
        await answer_remove_destination(
            RemoveDestination(destination_id=destination_id, detach=True), deps
        )


async def test_a_removed_one_added_again_opens_the_repository_it_left(deps: Deps) -> None:
    former = await ready_destination(deps, "A", "/mnt/a")
    await answer_remove_destination(RemoveDestination(destination_id=former, detach=True), deps)

    again = await add_local(deps, "A", "/mnt/a")

    assert again.destination_id != former
    assert await secrets_of(deps, again.destination_id) == await secrets_of(deps, former)
    async with deps.pool.acquire() as connection:
        assert (await addresses(connection, [former]))[former].repository_id


async def test_secrets_do_not_open_under_another_destination(deps: Deps) -> None:
    first, second = [await ready_destination(deps, name) for name in ("A", "B")]
    await deps.pool.execute(
        "update destination set sealed_secrets = (select sealed_secrets from destination "
        "where id = $1) where id = $2",
        first,
        second,
    )

    with pytest.raises(SealBrokenError):
        await secrets_of(deps, second)


async def test_totals_count_what_can_be_restored(deps: Deps, clock: Clock) -> None:
    destination_id = await ready_destination(deps, "A")
    other = await ready_destination(deps, "B")
    (device,) = await answer_list_devices(ListDevices(), deps)
    await answer_create_app(CreateApp(name="X", device_id=device.id, paths=("/x",)), deps)
    (tie,) = await answer_list_configurations(ListConfigurations(), deps)
    run_id = await deps.pool.fetchval("select id from run limit 1")
    for number, (restic_id, forgotten) in enumerate(
        [("a", False), ("b", False), ("c", True), (None, False)]
    ):
        at = clock() + timedelta(hours=number)
        await deps.pool.execute(
            "insert into snapshot (id, run_id, configuration_id, destination_id, "
            "restic_snapshot_id, hostname, paths, status, started_at, completed_at, "
            "forgotten_at, created_at) "
            "values ($1, $2, $3, $4, $5, 'nas', '{/x}', 'success', $6, $6, $7, $6)",
            new_id(),
            run_id,
            tie.id,
            destination_id,
            restic_id,
            at,
            at if forgotten else None,
        )

    view = await answer_get_destination(GetDestination(destination_id=destination_id), deps)
    empty = await answer_get_destination(GetDestination(destination_id=other), deps)

    assert (view.total_snapshots, view.last_backup_at) == (2, clock() + timedelta(hours=1))
    assert (empty.total_snapshots, empty.last_backup_at) == (0, None)


async def test_two_at_one_place_at_once_end_as_one(deps: Deps) -> None:
    outcomes = await asyncio.gather(
        *(add_local(deps, f"D{number}", "/mnt/same") for number in range(4)),
        return_exceptions=True,
    )

    assert sum(isinstance(one, ConflictError) for one in outcomes) == 3
