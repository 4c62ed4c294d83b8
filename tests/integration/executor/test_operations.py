"""Each operation, on a local repository and on S3, with real restic."""

import shutil
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from holdfast.events.restoring import RestoreMode
from holdfast.events.run import (
    ForgetResult,
    ImportResult,
    InitResult,
    ProbeResult,
    PruneResult,
    RestoreResult,
    RunProgress,
    RunStatus,
)
from holdfast.events.snapshot import SnapshotCompleted, SnapshotFailed, SnapshotsFound
from holdfast.events.work import (
    ForgetAdmitted,
    ImportRequested,
    ProbeRequested,
    PruneAdmitted,
    RestoreRequested,
)
from holdfast.executor.repositories import storage_of
from holdfast.kernel.ids import new_id
from holdfast.restic.commands import backup, snapshots
from holdfast.restic.commands.backup import BackupOptions
from support.executor import Bench, Place, backup_of, init_of, local_place, s3_place, work_of
from support.servers import RcloneS3, free_port
from support.trees import differences, manifest

pytestmark = pytest.mark.restic


async def snapshot_at(bench: Bench, data: Path, place: Place) -> str:
    run = await bench.outcome(backup_of([data], place))
    assert run.status is RunStatus.SUCCESS, run.failure
    return bench.said(SnapshotCompleted)[-1].restic_snapshot_id


# ---- backup and restore


async def test_what_was_backed_up_comes_back(
    bench: Bench, nas: Place, data: Path, tmp_path: Path
) -> None:
    before = manifest(data)
    work = backup_of([data], nas)

    run = await bench.outcome(work)
    (snapshot,) = bench.said(SnapshotCompleted)
    restored = await bench.outcome(
        work_of(
            RestoreRequested,
            nas,
            restic_snapshot_id=snapshot.restic_snapshot_id,
            target_path=str(tmp_path / "not there yet" / "back"),
        )
    )

    assert run.status is RunStatus.SUCCESS
    assert run.destination_ids == (nas.id,)
    assert (snapshot.status, snapshot.snapshot_id) == (
        RunStatus.SUCCESS,
        work.targets[0].snapshot_id,
    )
    assert snapshot.files_new > 0
    assert snapshot.total_bytes_processed > 3_000_000
    assert isinstance(restored.result, RestoreResult)
    assert restored.result.restored_path == str(tmp_path / "not there yet" / "back")
    back = tmp_path / "not there yet" / "back" / data.relative_to("/")
    assert differences(before, manifest(back)) == []


async def test_the_snapshot_carries_its_run_and_the_next_one_finds_its_parent(
    bench: Bench, nas: Place, data: Path
) -> None:
    first = backup_of([data], nas)
    await bench.outcome(first)

    await bench.outcome(backup_of([data], nas))

    kept = await snapshots.run(bench.restic(nas))
    second = bench.said(SnapshotCompleted)[-1]
    assert f"run:{first.run_id}" in kept[0].tags
    assert (second.files_new, second.files_changed) == (0, 0)
    assert second.files_unmodified > 0


async def test_progress_is_told(bench: Bench, nas: Place, data: Path) -> None:
    work = backup_of([data], nas)

    await bench.outcome(work)

    told = [each for each in bench.said(RunProgress) if each.run_id == work.run_id]
    assert told
    assert {each.destination_id for each in told} == {nas.id}
    assert told[0].fraction == 0
    assert told[-1].fraction == 1
    assert told[-1].files_done == told[-1].total_files > 0


async def test_one_destination_away_is_partial_and_the_other_has_its_snapshot(
    bench: Bench, nas: Place, data: Path
) -> None:
    gone = s3_place(_Nobody(), "bucket", "offsite")
    bench.knows(gone)

    run = await bench.outcome(backup_of([data], gone, nas))

    (failed,) = bench.said(SnapshotFailed)
    (made,) = bench.said(SnapshotCompleted)
    assert run.status is RunStatus.PARTIAL
    assert failed.failure.code == "connection_refused"
    assert failed.failure.retryable
    assert failed.duration_seconds < 10
    assert run.failure is not None
    assert run.failure.message.startswith("offsite: ")
    assert made.destination_id == nas.id


async def test_a_disk_that_is_not_mounted_is_left_alone(
    bench: Bench, nas: Place, data: Path
) -> None:
    repository = Path(nas.address.local_path)
    shutil.rmtree(repository)
    repository.mkdir()

    run = await bench.outcome(backup_of([data], nas))

    assert run.status is RunStatus.FAILED
    assert run.failure is not None
    assert run.failure.code == "repository_missing"
    assert run.failure.retryable
    assert list(repository.iterdir()) == []


async def test_all_sources_missing_fails_and_names_them(bench: Bench, nas: Place) -> None:
    run = await bench.outcome(backup_of([Path("/no/such/a"), Path("/no/such/b")], nas))

    assert run.status is RunStatus.FAILED
    assert run.failure is not None
    assert run.failure.code == "source_missing"
    assert "/no/such/a, /no/such/b" in run.failure.message
    assert nas.files("snapshots") == []


async def test_some_sources_missing_is_partial_and_names_them(
    bench: Bench, nas: Place, data: Path
) -> None:
    run = await bench.outcome(backup_of([data, Path("/no/such/a")], nas))

    (made,) = bench.said(SnapshotCompleted)
    assert run.status is RunStatus.PARTIAL
    assert made.status is RunStatus.PARTIAL
    assert made.unreadable_files == ("/no/such/a",)
    assert run.failure is not None
    assert "/no/such/a" in run.failure.message


async def test_wrong_secrets_fail_every_destination_with_words(
    bench: Bench, nas: Place, data: Path
) -> None:
    bench.places.clear()

    run = await bench.outcome(backup_of([data], nas))

    (failed,) = bench.said(SnapshotFailed)
    assert run.status is RunStatus.FAILED
    assert failed.failure.code == "secrets_missing"


# ---- restore


async def test_selected_files_only(bench: Bench, nas: Place, data: Path, tmp_path: Path) -> None:
    snapshot = await snapshot_at(bench, data, nas)
    work = work_of(
        RestoreRequested,
        nas,
        restic_snapshot_id=snapshot,
        target_path=str(tmp_path / "back"),
        files=(str(data / "[glob]*?"), f"{data / 'sub dir' / 'deep'}/"),
    )

    await bench.outcome(work)

    back = tmp_path / "back" / data.relative_to("/")
    assert sorted(path.name for path in back.iterdir()) == ["[glob]*?", "sub dir"]
    assert [path.name for path in (back / "sub dir").iterdir()] == ["deep"]


async def test_files_that_are_not_in_the_snapshot_stop_it_before_it_begins(
    bench: Bench, nas: Place, data: Path, tmp_path: Path
) -> None:
    snapshot = await snapshot_at(bench, data, nas)
    work = work_of(
        RestoreRequested,
        nas,
        restic_snapshot_id=snapshot,
        target_path=str(tmp_path / "back"),
        files=(str(data / "secret"), "/no/such", "relative"),
    )

    run = await bench.outcome(work)

    assert run.failure is not None
    assert run.failure.code == "files_not_in_snapshot"
    assert "/no/such, relative" in run.failure.message
    assert str(data) not in run.failure.message
    assert not (tmp_path / "back").exists()


async def test_changed_files_are_named_and_kept_unless_told_otherwise(
    bench: Bench, nas: Place, data: Path
) -> None:
    snapshot = await snapshot_at(bench, data, nas)
    before = manifest(data)
    precious = data / "script.sh"
    precious.write_text("my work of today")
    (data / "secret").unlink()

    in_place = {"restic_snapshot_id": snapshot, "target_path": "/"}
    refused = await bench.outcome(work_of(RestoreRequested, nas, **in_place))
    kept = precious.read_text()
    allowed = await bench.outcome(
        work_of(RestoreRequested, nas, **in_place, mode=RestoreMode.ALWAYS)
    )

    assert refused.failure is not None
    assert refused.failure.code == "would_overwrite"
    assert str(precious) in refused.failure.message
    assert kept == "my work of today"
    assert allowed.status is RunStatus.SUCCESS
    assert differences(before, manifest(data)) == []


async def test_missing_files_come_back_in_place_beside_unchanged_ones(
    bench: Bench, nas: Place, data: Path
) -> None:
    snapshot = await snapshot_at(bench, data, nas)
    before = manifest(data)
    (data / "script.sh").unlink()
    shutil.rmtree(data / "sub dir")

    run = await bench.outcome(
        work_of(RestoreRequested, nas, restic_snapshot_id=snapshot, target_path="/")
    )

    assert run.status is RunStatus.SUCCESS, run.failure
    assert set(before) == set(manifest(data))
    assert (data / "sub dir" / "file 3.bin").is_file()


async def test_another_kind_of_file_in_the_way_is_named(
    bench: Bench, nas: Place, data: Path
) -> None:
    snapshot = await snapshot_at(bench, data, nas)
    (data / "link").unlink()
    (data / "link").write_text("a file of mine")
    shutil.rmtree(data / "empty")
    (data / "empty").symlink_to(data / "sub dir")

    run = await bench.outcome(
        work_of(RestoreRequested, nas, restic_snapshot_id=snapshot, target_path="/")
    )

    assert run.failure is not None
    assert run.failure.code == "would_overwrite"
    assert str(data / "link") in run.failure.message
    assert str(data / "empty") in run.failure.message
    assert (data / "link").read_text() == "a file of mine"


async def test_a_link_above_the_data_survives_a_restore_in_place(
    bench: Bench, nas: Place, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "srv").symlink_to(data)
    source = tmp_path / "srv" / "sub dir"
    snapshot = await snapshot_at(bench, source, nas)
    shutil.rmtree(source)

    run = await bench.outcome(
        work_of(
            RestoreRequested,
            nas,
            restic_snapshot_id=snapshot,
            target_path="/",
            mode=RestoreMode.ALWAYS,
        )
    )

    assert run.status is RunStatus.SUCCESS, run.failure
    assert (tmp_path / "srv").is_symlink()
    assert (data / "sub dir" / "deep").is_dir()


async def test_a_snapshot_that_is_gone_is_an_error(
    bench: Bench, nas: Place, tmp_path: Path
) -> None:
    run = await bench.outcome(
        work_of(
            RestoreRequested, nas, restic_snapshot_id="a" * 64, target_path=str(tmp_path / "back")
        )
    )

    assert run.failure is not None
    assert run.failure.code == "snapshot_not_found"
    assert not (tmp_path / "back").exists()


# ---- forget, prune, probe


async def test_forget_and_prune_leave_the_rest(bench: Bench, nas: Place, data: Path) -> None:
    first = await snapshot_at(bench, data, nas)
    (data / "more").write_bytes(bytes(range(256)) * 100)
    second = await snapshot_at(bench, data, nas)

    ids = (first, "b" * 64)
    forgotten = await bench.outcome(
        work_of(ForgetAdmitted, nas, configuration_id=uuid4(), restic_snapshot_ids=ids)
    )
    again = await bench.outcome(
        work_of(ForgetAdmitted, nas, configuration_id=uuid4(), restic_snapshot_ids=ids)
    )
    pruned = await bench.outcome(work_of(PruneAdmitted, nas))

    assert forgotten.result == again.result == ForgetResult(restic_snapshot_ids=ids)
    assert isinstance(pruned.result, PruneResult)
    assert pruned.result.repository_size > 100_000
    assert [each.id for each in await snapshots.run(bench.restic(nas))] == [second]


async def test_probe_opens_the_repository(bench: Bench, nas: Place) -> None:
    run = await bench.outcome(work_of(ProbeRequested, nas))

    assert isinstance(run.result, ProbeResult)
    assert len(run.result.repository_id) == 64


async def test_probe_tells_another_repository_from_the_right_one(bench: Bench, nas: Place) -> None:
    nas.address = msgspec.structs.replace(nas.address, repository_id="c" * 64)

    run = await bench.outcome(work_of(ProbeRequested, nas))

    assert run.failure is not None
    assert run.failure.code == "other_repository"


async def test_another_disk_in_the_place_is_refused_and_not_written_to(
    bench: Bench, place: Place, data: Path
) -> None:
    made = await bench.outcome(backup_of([data], place))
    assert made.failure is None
    (snapshot,) = await snapshots.run(bench.restic(place))
    right = place.address
    place.address = msgspec.structs.replace(right, repository_id="c" * 64, config_digest="d" * 64)
    works: list[Any] = [
        backup_of([data], place),
        work_of(PruneAdmitted, place),
        work_of(ProbeRequested, place),
        work_of(
            ForgetAdmitted,
            place,
            configuration_id=new_id(),
            restic_snapshot_ids=(snapshot.id,),
        ),
    ]

    for work in works:
        run = await bench.outcome(work)
        assert run.failure is not None
        assert run.failure.code == "other_repository"

    place.address = right
    assert await snapshots.run(bench.restic(place)) == (snapshot,)


async def test_a_repository_is_recognised_without_a_call_to_restic(
    bench: Bench, nas: Place, data: Path
) -> None:
    found = await bench.outcome(work_of(ProbeRequested, nas))
    assert isinstance(found.result, ProbeResult)
    nas.address = msgspec.structs.replace(
        nas.address,
        # That restic would tell another one shows that it is not asked.
        repository_id="c" * 64,
        config_digest=found.result.config_digest,
    )

    run = await bench.outcome(backup_of([data], nas))

    assert run.status is RunStatus.SUCCESS


@pytest.mark.s3
async def test_restic_trusts_the_certificate_of_a_destinations_own(
    bench: Bench, tls_s3_server: RcloneS3, data: Path
) -> None:
    place = s3_place(tls_s3_server, f"bucket-{uuid4().hex[:12]}")
    place.address = msgspec.structs.replace(
        place.address, s3_ca_certificate=tls_s3_server.certificate
    )
    await bench.initialise(place)

    run = await bench.outcome(backup_of([data], place))

    assert run.status is RunStatus.SUCCESS, run.failure


# ---- import


async def test_an_import_tells_every_snapshot_whoever_made_it(
    bench: Bench, place: Place, data: Path
) -> None:
    work = backup_of([data], place)
    await bench.outcome(work)
    await backup.run(bench.restic(place), BackupOptions(paths=(str(data),), host="laptop"))

    run = await bench.outcome(work_of(ImportRequested, place))

    assert isinstance(run.result, ImportResult)
    assert (run.result.snapshots, len(run.result.repository_id)) == (2, 64)
    (told,) = bench.said(SnapshotsFound)
    ours, foreign = told.snapshots
    assert set(work.tags) <= set(ours.tags)
    assert (foreign.hostname, foreign.paths, foreign.tags) == ("laptop", (str(data),), ())
    assert foreign.total_bytes_processed > 0
    assert {each.restic_snapshot_id for each in told.snapshots} == {
        each.id for each in await snapshots.run(bench.restic(place))
    }


# ---- init


async def test_a_machine_made_password_gets_a_quick_key(bench: Bench, place: Place) -> None:
    storage_keys = list(await _keys(bench, place))

    assert len(storage_keys) == 1
    assert b'"N":2' in storage_keys[0].replace(b" ", b"")


async def test_a_repository_that_is_there_is_adopted_with_its_password(
    bench: Bench, nas: Place, data: Path
) -> None:
    await bench.outcome(backup_of([data], nas))

    run = await bench.outcome(init_of(nas))

    assert isinstance(run.result, InitResult)
    assert run.result.adopted


async def test_a_repository_of_another_password_is_refused_and_untouched(
    bench: Bench, nas: Place, tmp_path: Path
) -> None:
    before = sorted(path.name for path in Path(nas.address.local_path).rglob("*"))
    stranger = local_place(tmp_path / "nas", password="another one")

    run = await bench.knows(stranger).outcome(init_of(stranger))

    assert run.failure is not None
    assert run.failure.code == "foreign_repository"
    assert before == sorted(path.name for path in Path(nas.address.local_path).rglob("*"))


async def test_a_path_that_is_not_there_is_not_made(bench: Bench, tmp_path: Path) -> None:
    place = local_place(tmp_path / "unmounted")

    run = await bench.knows(place).outcome(init_of(place))

    assert run.failure is not None
    assert run.failure.code == "path_missing"
    assert not (tmp_path / "unmounted").exists()


@pytest.mark.s3
async def test_a_missing_bucket_fails_in_seconds_by_name(bench: Bench, s3_server: RcloneS3) -> None:
    place = s3_place(s3_server, "to-be-removed")
    (s3_server.data / "to-be-removed").rmdir()

    run = await bench.knows(place).outcome(init_of(place))

    assert run.failure is not None
    assert run.failure.code == "no_such_bucket"


async def test_an_init_that_fails_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "nas").mkdir()
    (tmp_path / "restic").write_text("#!/bin/sh\nmkdir -p $RESTIC_REPOSITORY/keys\nexit 1\n")
    (tmp_path / "restic").chmod(0o755)
    bench = Bench(tmp_path / "cache", restic=tmp_path / "restic")
    place = local_place(tmp_path / "nas")

    run = await bench.knows(place).outcome(init_of(place))

    assert run.status is RunStatus.FAILED
    assert list((tmp_path / "nas").iterdir()) == []


async def test_what_a_dead_init_left_is_cleaned_first(bench: Bench, tmp_path: Path) -> None:
    place = local_place(tmp_path / "nas")
    keys = Path(place.address.local_path) / "keys"
    keys.mkdir(parents=True)
    (keys / ("d" * 64)).write_text("{}")

    bench.knows(place)
    refused = await bench.outcome(init_of(place))
    bench.claim = 2
    taken_over = await bench.outcome(init_of(place))

    assert refused.failure is not None
    assert refused.failure.code == "repository_damaged"
    assert isinstance(taken_over.result, InitResult)
    assert not taken_over.result.adopted
    assert not (keys / ("d" * 64)).exists()


async def test_an_init_that_was_done_but_not_told_is_not_an_adoption(
    bench: Bench, nas: Place
) -> None:
    bench.claim = 2

    run = await bench.outcome(init_of(nas))

    assert isinstance(run.result, InitResult)
    assert not run.result.adopted


# ---- helpers


class _Nobody:
    """An S3 server that is not there."""

    access_key = "AK"
    secret_key = "SK-nobody"

    def __init__(self) -> None:
        self.endpoint = f"http://127.0.0.1:{free_port()}"

    def make_bucket(self, name: str) -> None:
        """There is none."""


async def _keys(bench: Bench, place: Place) -> list[bytes]:
    storage = storage_of(place.address, place.secrets)
    return [await storage.read_key(name) for name in await storage.list_keys()]
