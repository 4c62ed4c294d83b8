"""Export and import: what leaves one instance arrives in another, and nothing is overwritten."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import UUID

import pytest
from msgspec.structs import replace

from holdfast.catalog.answers.destinations import answer_get_destination
from holdfast.catalog.answers.policies import answer_list_policies
from holdfast.catalog.answers.portable import answer_export_settings
from holdfast.catalog.answers.schedules import answer_list_schedules
from holdfast.catalog.deps import Deps
from holdfast.events.portable import Export, PortableDestination, PortableDevice
from holdfast.events.queries import (
    ExportSettings,
    GetDestination,
    ImportReport,
    ListPolicies,
    ListSchedules,
    Verdict,
)
from holdfast.events.work import DestinationSecrets, DestinationType, LockMode, ObjectLock
from holdfast.kernel.errors import InvalidRequestError
from holdfast.kernel.ids import new_id
from support.catalog import Clock, opened_catalog, published
from support.portable import NOBODY, exported, furnished, imported, without_moment
from support.servers import PostgresServer

pytestmark = pytest.mark.postgres


@pytest.fixture
async def other(postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[Deps]:
    """Another instance, empty, with keys of its own."""
    clock = Clock()
    clock.advance(days=40)
    async with opened_catalog(postgres_server.new_database(), tmp_path / "other", clock) as opened:
        yield opened


def verdicts(report: ImportReport) -> set[tuple[str, str]]:
    return {(each.kind, each.verdict.value) for each in report.entries}


async def test_an_empty_instance_becomes_the_one_that_was_exported(deps: Deps, other: Deps) -> None:
    await furnished(deps)
    file, secrets = await exported(deps)

    report = await imported(other, file, secrets)

    assert Verdict.CONFLICT not in {each.verdict for each in report.entries}
    again, their_secrets = await exported(other)
    assert without_moment(again) == without_moment(file)
    assert their_secrets == secrets
    assert len(report.run_ids) == 2


async def test_a_second_import_changes_nothing(deps: Deps, other: Deps) -> None:
    await furnished(deps)
    file, secrets = await exported(deps)
    await imported(other, file, secrets)
    told = len(await published(other))

    report = await imported(other, file, secrets)

    assert {each.verdict for each in report.entries} == {Verdict.UNCHANGED}
    assert report.run_ids == ()
    assert len(await published(other)) == told


async def test_a_dry_run_says_the_same_and_changes_nothing(deps: Deps, other: Deps) -> None:
    await furnished(deps)
    file, secrets = await exported(deps)
    before, _ = await exported(other)

    dry = await imported(other, file, secrets, dry_run=True)

    after, _ = await exported(other)
    assert (after, dry.run_ids, dry.dry_run) == (before, (), True)
    assert (await imported(other, file, secrets)).entries == dry.entries


async def test_what_differs_is_a_conflict_and_stays(deps: Deps) -> None:
    await furnished(deps)
    file, secrets = await exported(deps)
    policy = next(each for each in file.policies if each.name == "Hourly")
    changed = replace(policy, schedule="7 7 * * *", keep_hourly=1)
    theirs = replace(
        file, policies=tuple(changed if each.id == policy.id else each for each in file.policies)
    )

    report = await imported(deps, theirs, secrets)

    (conflict,) = [each for each in report.entries if each.verdict is Verdict.CONFLICT]
    assert (conflict.kind, conflict.name) == ("policy", "Hourly")
    assert conflict.reason == "Differs in schedule, keep_hourly."
    now, _ = await exported(deps)
    assert without_moment(now) == without_moment(file)

    await imported(deps, theirs, secrets, replace=True)
    now, _ = await exported(deps)
    assert without_moment(now) == without_moment(theirs)


async def test_another_thing_of_the_same_name_is_known_again(deps: Deps) -> None:
    await furnished(deps)
    file, secrets = await exported(deps)
    ids = {each.id: new_id() for each in (*file.apps, *file.policies, *file.configurations)}
    theirs = replace(
        file,
        apps=tuple(replace(each, id=ids[each.id]) for each in file.apps),
        policies=tuple(replace(each, id=ids[each.id]) for each in file.policies),
        configurations=tuple(
            replace(each, id=ids[each.id], app_id=ids[app], policy_id=ids[each.policy_id])
            for each in file.configurations
            if (app := each.app_id) is not None
        ),
    )

    report = await imported(deps, theirs, secrets)

    assert {each.verdict for each in report.entries} == {Verdict.UNCHANGED}


async def test_other_secrets_are_a_difference(deps: Deps) -> None:
    await furnished(deps)
    file, secrets = await exported(deps)
    nas = next(each for each in file.destinations if each.name == "nas")
    theirs = {**secrets, nas.id: replace(secrets[nas.id], repo_password="another password")}

    report = await imported(deps, file, theirs)

    (conflict,) = [each for each in report.entries if each.verdict is Verdict.CONFLICT]
    assert (conflict.id, conflict.reason) == (nas.id, "Differs in secrets.")
    assert (await exported(deps))[1] == secrets

    await imported(deps, file, theirs, replace=True)
    assert (await exported(deps))[1] == theirs


async def test_without_secrets_destinations_are_left_out_and_told(deps: Deps, other: Deps) -> None:
    await furnished(deps)
    answer = await answer_export_settings(ExportSettings(), deps)

    assert answer.sealed_secrets == b""
    report = await imported(other, answer.export, {})

    assert ("destination", "conflict") in verdicts(report)
    assert ("app", "created") in verdicts(report)
    policies = await answer_list_policies(ListPolicies(), other)
    assert {each.name: each.destinations for each in policies}["Hourly"] == ()


async def test_nothing_of_the_past_is_due_after_an_import(deps: Deps, other: Deps) -> None:
    await furnished(deps)
    file, secrets = await exported(deps)
    await imported(other, file, secrets)

    page = await answer_list_schedules(ListSchedules(), other)

    assert {each.kind for each in page.entries} == {"backup", "prune", "check"}
    assert all(each.after == other.now() for each in page.entries)


async def test_the_default_mark_is_not_taken_unasked(deps: Deps, other: Deps) -> None:
    await furnished(deps)
    await furnished(other)
    file, secrets = await exported(deps)
    mine = replace(file.policies[0], id=new_id(), name="Mine", is_default=True)

    await imported(other, replace(file, policies=(mine,), apps=(), configurations=()), secrets)

    defaults = await answer_list_policies(ListPolicies(), other)
    assert [each.name for each in defaults if each.is_default] == ["Default Daily Backups"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda file: replace(file, format="something"), "no export"),
        (lambda file: replace(file, version=2), "version 2"),
        (
            lambda file: replace(file, policies=(replace(file.policies[0], schedule="never"),)),
            "Default Daily Backups",
        ),
        (lambda file: replace(file, apps=(replace(file.apps[0], paths=("etc",)),)), "photos|wiki"),
    ],
)
async def test_a_file_that_breaks_a_rule_changes_nothing(
    deps: Deps, change: Callable[[Export], Export], words: str
) -> None:
    await furnished(deps)
    file, secrets = await exported(deps)

    with pytest.raises(InvalidRequestError, match=words):
        await imported(deps, change(file), secrets, replace=True)

    now, _ = await exported(deps)
    assert without_moment(now) == without_moment(file)


def behind(name: str, jump: UUID | None = None) -> PortableDevice:
    return PortableDevice(
        id=new_id(), created_at=NOBODY.exported_at, name=name, type="ssh", site="main",
        ssh_host=f"{name}.lan", ssh_user="backup", jump_device_id=jump,
    )  # fmt: skip


async def test_the_ways_to_devices_are_carried_in_any_order(deps: Deps, other: Deps) -> None:
    door = behind("door")
    gate = behind("gate", door.id)
    pi = behind("pi", gate.id)
    logins = {
        each.id: DestinationSecrets(repo_password="", sftp_password="p")
        for each in (pi, gate, door)
    }
    file = replace((await exported(deps))[0], devices=(pi, gate, door))

    await imported(other, file, logins)
    again, secrets = await exported(other)

    assert {each for each in again.devices if each.type == "ssh"} == {pi, gate, door}
    assert secrets == logins


async def test_a_ring_in_a_file_or_made_by_it_is_refused(deps: Deps) -> None:
    door = behind("door")
    gate = behind("gate", door.id)
    file = replace((await exported(deps))[0], devices=(door, gate))
    ring = replace(file, devices=(replace(door, jump_device_id=gate.id), gate))

    with pytest.raises(InvalidRequestError, match="in a circle: door, gate"):
        await imported(deps, ring, {})
    gone = replace(file, devices=(gate,))
    (entry,) = [each for each in (await imported(deps, gone, {})).entries if each.name == "gate"]
    assert (entry.verdict, entry.reason) == (
        Verdict.CONFLICT,
        "The device on the way to it is not in the file.",
    )


async def test_an_imported_bucket_keeps_its_lock_and_its_second_pair_of_keys(other: Deps) -> None:
    empty, _ = await exported(other)
    bucket = PortableDestination(
        id=new_id(),
        created_at=other.now(),
        name="bucket",
        type=DestinationType.S3,
        s3_endpoint="https://s3.example.org",
        s3_bucket="house",
        s3_lock_mode="compliance",
        s3_lock_days=30,
    )
    secrets = DestinationSecrets(
        repo_password="p",
        s3_access_key="everyday",
        s3_secret_key="s",
        s3_maintenance_access_key="upkeep",
        s3_maintenance_secret_key="S",
    )

    await imported(other, replace(empty, destinations=(bucket,)), {bucket.id: secrets})

    view = await answer_get_destination(GetDestination(destination_id=bucket.id), other)
    assert view.object_lock == ObjectLock(mode=LockMode.COMPLIANCE, days=30)
    assert view.has_maintenance_credentials
    assert view.protected_at is None
    assert await other.pool.fetchval("select protect_due_at from destination") == other.now()
    again, _ = await exported(other)
    assert (again.destinations[0].s3_lock_mode, again.destinations[0].s3_lock_days) == (
        "compliance",
        30,
    )


@pytest.mark.parametrize("lock", [("forever", 30), ("compliance", 0), ("governance", 40_000)])
async def test_a_lock_that_will_not_do_is_not_imported(other: Deps, lock: tuple[str, int]) -> None:
    empty, _ = await exported(other)
    bucket = PortableDestination(
        id=new_id(),
        created_at=other.now(),
        name="bucket",
        type=DestinationType.S3,
        s3_endpoint="https://s3.example.org",
        s3_bucket="house",
        s3_lock_mode=lock[0],
        s3_lock_days=lock[1],
    )

    with pytest.raises(InvalidRequestError, match=r"object_lock|Object Lock"):
        await imported(other, replace(empty, destinations=(bucket,)), {})


NOT_CARRIED = {
    "destination": {
        "state", "place", "sealed_secrets", "config_digest", "last_prune_due_at",
        "last_pruned_at", "prune_needed", "repository_size", "updated_at",
        "manifest_digest", "last_check_due_at", "checked_at", "verify_since", "in_recovery_kit",
        "next_password", "old_password", "s3_has_maintenance", "protect_due_at", "protected_at",
        "protects_from", "protection_tested_at",
    },
    "policy": {"schedule_changed_at", "updated_at"},
    "configuration": {"enabled_at", "deleted_at", "updated_at", "drill_due_at"},
    "device": {
        "sealed_secrets", "facts", "tested_at", "discover_at", "discovered_at", "unprotected",
        "loose", "unseen_since", "looks_failed",
    },
    "app": {"found", "vanished_at"},
}  # fmt: skip
"""What is no setting: made anew, or what things came to."""


@pytest.mark.parametrize("table", NOT_CARRIED)
async def test_every_column_that_is_a_setting_is_carried(deps: Deps, table: str) -> None:
    rows = await deps.pool.fetch(
        "select column_name from information_schema.columns where table_name = $1", table
    )
    await furnished(deps)
    file, _ = await exported(deps)
    things = {"policy": file.policies}.get(table) or getattr(file, f"{table}s")
    carried = set(type(things[0]).__struct_fields__) - {"destination_ids"}

    assert {row["column_name"] for row in rows} - NOT_CARRIED[table] == carried
