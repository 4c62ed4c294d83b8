"""One suite for every kind of destination, on real servers: what each of them has to do."""

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace

from holdfast.events.queries import SwitchPassword
from holdfast.events.queries.passwords import Switched
from holdfast.events.run import CheckResult, InitResult, RunStatus
from holdfast.events.snapshot import SnapshotCompleted
from holdfast.events.work import (
    CheckRequested,
    DestinationType,
    ForgetAdmitted,
    ImportRequested,
    ProbeRequested,
    PruneAdmitted,
    RestoreRequested,
    RotatePasswordRequested,
)
from holdfast.executor.repositories import target_of
from holdfast.restic.commands import check, snapshots
from holdfast.restic.commands.check import CheckOptions
from holdfast.secretbox.tokens import new_repository_password
from holdfast.storage.objects import path_of, put, whole
from holdfast.storage.registry import open_objects
from support.executor import Bench, Place, backup_of, init_of, local_place, until, work_of
from support.kinds import Kind, LocalKind, LockedKind, S3Kind, SftpKind
from support.trees import differences, make_tree, manifest

pytestmark = pytest.mark.restic

MAKE: dict[str, Callable[[Path, Any], Kind]] = {
    "local": lambda folder, _: LocalKind(folder),
    "s3": lambda folder, get: S3Kind(folder, get("s3_server")),
    "sftp": lambda folder, get: SftpKind(folder, get("sshd")),
    "append-only local": lambda folder, _: LocalKind(folder),
    "append-only sftp": lambda folder, get: SftpKind(folder, get("sshd")),
    "object lock": lambda folder, get: LockedKind(folder, get("radosgw")),
}


def marks(name: str) -> list[pytest.MarkDecorator]:
    words = {"s3": pytest.mark.s3, "sftp": pytest.mark.sftp, "object lock": pytest.mark.radosgw}
    return [mark for word, mark in words.items() if word in name]


@pytest.fixture(params=[pytest.param(name, marks=marks(name)) for name in MAKE])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kind]:
    made = MAKE[request.param](tmp_path, request.getfixturevalue)
    made.append_only = request.param.startswith("append-only")
    yield made
    made.close()


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A house's first destination.  The others are made like it, which takes no seconds."""
    folder = tmp_path_factory.mktemp("first")
    place = local_place(folder, "first")
    asyncio.run(Bench(folder / "cache").initialise(place))
    return place


@pytest.fixture
def bench(tmp_path: Path, first: Place) -> Bench:
    return Bench(tmp_path / "cache").knows(first)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "data")


async def ready(kind: Kind, bench: Bench) -> Place:
    (first,) = bench.places.values()
    return await bench.initialise(kind.new_place(), first=first)


async def snapshot_at(bench: Bench, place: Place, data: Path) -> str:
    run = await bench.outcome(backup_of([data], place))
    assert run.status is RunStatus.SUCCESS, run.failure
    return bench.said(SnapshotCompleted)[-1].restic_snapshot_id


async def is_sound(bench: Bench, place: Place) -> bool:
    found = await check.run(bench.restic(place), CheckOptions(read_part=(1, 1), lock=False))
    return found.sound


async def test_it_is_added_and_opens(kind: Kind, bench: Bench) -> None:
    place = await bench.initialise(kind.new_place())  # as the first of a house

    run = await bench.outcome(work_of(ProbeRequested, place))

    assert run.status is RunStatus.SUCCESS, run.failure
    assert len(place.address.repository_id) == 64


async def test_wrong_credentials_are_named_and_change_nothing(kind: Kind, bench: Bench) -> None:
    place = kind.new_place()
    bench.knows(place)
    if not kind.refusal:
        assert place.address.type is DestinationType.LOCAL, "only a path has no credentials"
        return
    right = place.secrets
    place.secrets = kind.strange(right)

    refused = await bench.outcome(init_of(place))

    assert refused.failure is not None
    assert refused.failure.code == kind.refusal
    assert right.s3_secret_key not in refused.failure.message or not right.s3_secret_key
    # Nothing is in the way of the right ones.
    place.secrets = right
    added = await bench.outcome(init_of(place))
    assert isinstance(added.result, InitResult), added.failure
    assert not added.result.adopted


async def test_a_repository_that_is_there_is_adopted_with_its_snapshots(
    kind: Kind, bench: Bench, data: Path
) -> None:
    place = await ready(kind, bench)
    snapshot = await snapshot_at(bench, place, data)

    again = await bench.outcome(init_of(place))
    await bench.outcome(work_of(ImportRequested, place))

    assert isinstance(again.result, InitResult), again.failure
    assert again.result.adopted
    assert again.result.repository_id == place.address.repository_id
    told = [each for each in bench.outcomes if type(each).__name__ == "SnapshotsFound"]
    assert [found.restic_snapshot_id for each in told for found in each.snapshots] == [snapshot]


async def test_what_was_backed_up_comes_back(
    kind: Kind, bench: Bench, data: Path, tmp_path: Path
) -> None:
    place = await ready(kind, bench)
    before = manifest(data)
    snapshot = await snapshot_at(bench, place, data)

    restored = await bench.outcome(
        work_of(
            RestoreRequested,
            place,
            restic_snapshot_id=snapshot,
            target_path=str(tmp_path / "back"),
        )
    )

    assert restored.status is RunStatus.SUCCESS, restored.failure
    assert differences(before, manifest(tmp_path / "back" / data.relative_to("/"))) == []


async def test_forget_removes_what_was_asked_and_prune_frees_it(
    kind: Kind, bench: Bench, data: Path
) -> None:
    place = await ready(kind, bench)
    (data / "gone soon").write_bytes(os.urandom(3_000_000))
    first = await snapshot_at(bench, place, data)
    (data / "gone soon").unlink()
    second = await snapshot_at(bench, place, data)
    stored = await packs(place)

    forgotten = await bench.outcome(
        work_of(ForgetAdmitted, place, configuration_id=uuid4(), restic_snapshot_ids=(first,))
    )
    pruned = await bench.outcome(work_of(PruneAdmitted, place))

    assert forgotten.status is RunStatus.SUCCESS, forgotten.failure
    assert pruned.status is RunStatus.SUCCESS, pruned.failure
    assert [each.id for each in await snapshots.run(bench.restic(place))] == [second]
    # Under Object Lock the versions stay, and are out of restic's sight.
    assert sum((await packs(place)).values()) < sum(stored.values()) - 2_000_000
    assert await is_sound(bench, place)


async def test_flipped_bytes_are_found_and_the_snapshot_named(
    kind: Kind, bench: Bench, data: Path
) -> None:
    place = await ready(kind, bench)
    snapshot = await snapshot_at(bench, place, data)
    sound = await bench.outcome(work_of(CheckRequested, place, parts=1, read=(1,)))
    stored = await packs(place)
    name = max(stored, key=lambda each: stored[each])
    async with open_objects(target_of(place.address, place.secrets)) as objects:
        content = bytearray(await whole(objects, path_of("data", name)))
        content[100] ^= 0xFF
        await put(objects, path_of("data", name), bytes(content))

    run = await bench.outcome(work_of(CheckRequested, place, parts=1, read=(1,)))

    assert sound.status is RunStatus.SUCCESS, sound.failure
    assert run.failure is not None
    assert run.failure.code == "repository_damaged"
    assert isinstance(run.result, CheckResult)
    assert run.result.damaged_packs == (name,)
    assert run.result.restic_snapshot_ids == (snapshot,)


async def test_its_password_is_changed_and_the_old_one_opens_nothing(
    kind: Kind, bench: Bench, data: Path
) -> None:
    place = await ready(kind, bench)
    await snapshot_at(bench, place, data)
    old, new = place.secrets, new_repository_password().reveal()
    place.secrets = replace(old, next_password=new)
    bench.bus.answers[SwitchPassword] = Switched(held=True)

    run = await bench.outcome(work_of(RotatePasswordRequested, place))

    assert run.status is RunStatus.SUCCESS, run.failure
    place.secrets = replace(old, repo_password=new)
    await snapshot_at(bench, place, data)
    place.secrets = old
    refused = await bench.outcome(work_of(ProbeRequested, place))
    assert refused.failure is not None
    assert refused.failure.code == "wrong_password"


async def test_away_in_mid_backup_and_back(
    kind: Kind, bench: Bench, data: Path, tmp_path: Path
) -> None:
    """Either the run goes on when it is back, or fails as one that may be tried again."""
    place = await ready(kind, bench)
    kept = await snapshot_at(bench, place, data)
    much = tmp_path / "much"
    much.mkdir()
    for number in range(4):
        (much / str(number)).write_bytes(os.urandom(30_000_000))
    known = len(await packs(place))

    async with bench.doing(backup_of([much], place)) as task:
        while not task.done() and len(await packs(place)) <= known:
            await asyncio.sleep(0.02)
        assert not task.done(), "it ended before it could be cut off"
        kind.leave()
        await until(lambda: kind.was_missed() or task.done(), seconds=90)
        kind.come_back()
        await task

    run = bench.outcomes[-1]
    assert run.status is RunStatus.SUCCESS or run.failure.retryable, run.failure
    again = await bench.outcome(backup_of([much], place))
    assert again.status is RunStatus.SUCCESS, again.failure
    listed = {each.id for each in await snapshots.run(bench.restic(place))}
    told = {each.restic_snapshot_id for each in bench.said(SnapshotCompleted)}
    assert {kept} < told <= listed
    # What the one that was cut off left locked keeps nobody out.
    pruned = await bench.outcome(work_of(PruneAdmitted, place))
    assert pruned.status is RunStatus.SUCCESS, pruned.failure
    assert await is_sound(bench, place)


async def packs(place: Place) -> dict[str, int]:
    async with open_objects(target_of(place.address, place.secrets)) as objects:
        return {name: each.size for name, each in (await objects.names("data")).items()}


async def test_a_full_disk_is_told_and_loses_nothing(
    kind: Kind, bench: Bench, data: Path, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("no right to mount a small disk here")
    if not kind.small():
        return  # its space is the provider's, who bills and does not fill up
    place = await ready(kind, bench)
    kept = await snapshot_at(bench, place, data)
    (tmp_path / "much").write_bytes(os.urandom(60_000_000))

    run = await bench.outcome(backup_of([tmp_path / "much"], place))

    assert run.failure is not None
    assert run.failure.code in ("no_space", "destination_full"), run.failure.detail
    assert [each.id for each in await snapshots.run(bench.restic(place))] == [kept]
    assert (await bench.outcome(work_of(PruneAdmitted, place))).status is RunStatus.SUCCESS
    (data / "a little").write_bytes(b"more")
    await snapshot_at(bench, place, data)
    assert await is_sound(bench, place)
