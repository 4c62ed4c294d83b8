"""Every command file against the real restic."""

import filecmp
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfast.devices.local import LocalRunner
from holdfast.kernel.secret import Secret
from holdfast.restic import Repository, Restic, errors
from holdfast.restic.commands import (
    backup,
    check,
    config,
    copy,
    dump,
    find,
    forget,
    init,
    key,
    locks,
    ls,
    prune,
    restore,
    snapshots,
    stats,
    tag,
    unlock,
    version,
)
from holdfast.restic.messages import Status
from holdfast.restic.tags import Tags, make_tags
from holdfast.restic.version import OLDEST, Feature, supports

pytestmark = pytest.mark.restic

MISSING = "f" * 64


def contents(root: Path) -> dict[bytes, bytes]:
    """Every file below *root*: its name to its bytes."""
    found: dict[bytes, bytes] = {}
    top = os.fsencode(root)
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, top)] = file.read()
    return found


async def back_up(restic: Restic, path: Path, *tags: str) -> backup.BackupResult:
    return await backup.run(
        restic, backup.BackupOptions(paths=(".",), cwd=str(path), tags=tags, host="test")
    )


async def test_version(binary: Path) -> None:
    assert await version.run(binary, LocalRunner()) >= OLDEST


async def test_init_once_and_only_once(new_restic: Restic) -> None:
    made = await init.run(new_restic)

    assert (await config.run(new_restic)).id == made.id
    with pytest.raises(errors.RepositoryExistsError):
        await init.run(new_restic)


async def test_a_restore_gives_back_every_byte_under_every_name(
    restic: Restic, source: Path, tmp_path: Path
) -> None:
    result = await back_up(restic, source)
    options = restore.RestoreOptions(
        snapshot=result.snapshot_id, target=str(tmp_path / "out"), verify=True
    )

    restored = await restore.run(restic, options)

    assert not result.partial
    assert result.summary.files_new == len(contents(source)) - 1  # the link is no file
    assert contents(tmp_path / "out") == contents(source)
    assert not filecmp.dircmp(source, tmp_path / "out").left_only
    assert restored.summary.bytes_restored == result.summary.total_bytes_processed
    assert os.readlink(tmp_path / "out" / "link") == "plain"


@pytest.mark.parametrize("name", [b"[x]*", b"q?\\z", b"new\nline", b" with spaces ", b"$HOME"])
async def test_an_included_path_means_only_itself(
    restic: Restic, source: Path, tmp_path: Path, name: bytes
) -> None:
    result = await back_up(restic, source)
    options = restore.RestoreOptions(
        snapshot=result.snapshot_id, target=str(tmp_path / "out"), include=(f"/{name.decode()}",)
    )

    await restore.run(restic, options)

    assert contents(tmp_path / "out") == {name: name * 50}


async def test_a_path_that_is_not_utf_8_is_restored_as_ls_tells_it(
    restic: Restic, source: Path, tmp_path: Path
) -> None:
    snapshot = (await back_up(restic, source)).snapshot_id
    nodes = await ls.run(restic, ls.LsOptions(snapshot=snapshot))
    (path,) = [node.path for node in nodes if node.path.endswith(".bin")]

    await restore.run(
        restic,
        restore.RestoreOptions(snapshot=snapshot, target=str(tmp_path / "out"), include=(path,)),
    )

    assert list(contents(tmp_path / "out")) == [b"\xfe\xff.bin"]


async def test_a_subfolder_becomes_the_target(restic: Restic, source: Path, tmp_path: Path) -> None:
    snapshot = (await back_up(restic, source)).snapshot_id

    await restore.run(
        restic,
        restore.RestoreOptions(snapshot=snapshot, target=str(tmp_path / "o"), subfolder="/deep"),
    )

    assert list(contents(tmp_path / "o")) == [b"[a-z]"]


async def test_a_dry_run_tells_each_action_and_does_none(
    restic: Restic, source: Path, tmp_path: Path
) -> None:
    snapshot = (await back_up(restic, source)).snapshot_id
    actions: dict[str, str] = {}
    options = restore.RestoreOptions(
        snapshot=snapshot,
        target=str(source),
        overwrite=restore.Overwrite.IF_CHANGED,
        dry_run=True,
    )
    (source / "plain").write_bytes(b"changed")
    (source / "xx").unlink()

    await restore.run(
        restic, options, on_action=lambda each: actions.update({each.item: each.action})
    )

    assert actions["/plain"] == "updated"
    assert actions["/xx"] == "restored"
    assert actions["/big"] == "unchanged"
    assert not (source / "xx").exists()


async def test_a_missing_source_makes_a_partial_snapshot(
    restic: Restic, source: Path, binary: Path
) -> None:
    if not supports(await version.run(binary, LocalRunner()), Feature.MISSING_SOURCE_IS_PARTIAL):
        pytest.skip("this restic only warns")
    options = backup.BackupOptions(paths=(str(source), "/does/not/exist"))

    result = await backup.run(restic, options)

    assert result.partial
    assert result.unreadable == ("/does/not/exist",)
    assert [each.id for each in await snapshots.run(restic)] == [result.snapshot_id]


async def test_no_source_at_all_is_an_error_and_no_snapshot(restic: Restic) -> None:
    with pytest.raises(errors.SourceMissingError):
        await backup.run(restic, backup.BackupOptions(paths=("/does/not/exist",)))

    assert await snapshots.run(restic) == ()


async def test_many_odd_paths_arrive_through_standard_input(restic: Restic, tmp_path: Path) -> None:
    root = tmp_path / "many"
    root.mkdir()
    paths = [os.fsdecode(bytes(root) + b"/n\n\xff%0100d" % number) for number in range(500)]
    for path in paths:
        Path(path).write_text("x")

    result = await backup.run(restic, backup.BackupOptions(paths=tuple(paths)))

    assert result.summary.files_new == 500


async def test_excludes_and_cache_directories_stay_out(restic: Restic, source: Path) -> None:
    (source / "deep" / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55")
    options = backup.BackupOptions(
        paths=(".",), cwd=str(source), excludes=("big",), exclude_caches=True
    )

    result = await backup.run(restic, options)

    nodes = await ls.run(restic, ls.LsOptions(snapshot=result.snapshot_id))
    paths = {node.path for node in nodes}
    assert "/plain" in paths
    assert not paths & {"/big", "/deep/[a-z]"}


async def test_an_unchanged_source_may_be_skipped(restic: Restic, source: Path) -> None:
    options = backup.BackupOptions(
        paths=(".",), cwd=str(source), tags=("app:1",), skip_if_unchanged=True
    )

    first = await backup.run(restic, options)
    second = await backup.run(restic, options)

    assert first.snapshot_id
    assert second.snapshot_id == ""
    assert second.summary.files_unmodified == first.summary.files_new


async def test_a_time_of_ones_own_is_kept(restic: Restic, source: Path) -> None:
    moment = datetime(2020, 2, 29, 23, 30, tzinfo=UTC)

    await backup.run(restic, backup.BackupOptions(paths=(str(source),), time=moment))

    assert [each.time for each in await snapshots.run(restic)] == [moment]


async def test_progress_is_told(restic: Restic) -> None:
    seen: list[Status] = []
    options = backup.BackupOptions(command=("sh", "-c", "echo begin; sleep 1; echo end"))

    await backup.run(restic, options, on_progress=seen.append)

    assert seen
    assert all(0 <= each.percent_done <= 1 for each in seen)


async def test_the_output_of_a_command_is_a_file(restic: Restic) -> None:
    options = backup.BackupOptions(command=("printf", "rows"), stdin_filename="db.dump")

    result = await backup.run(restic, options)

    asked = dump.DumpOptions(snapshot=result.snapshot_id, path="/db.dump")
    async with dump.open_stream(restic, asked) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == b"rows"


async def test_a_failed_or_empty_command_is_no_backup(restic: Restic) -> None:
    with pytest.raises(errors.ResticFailedError):
        await backup.run(restic, backup.BackupOptions(command=("false",)))
    with pytest.raises(errors.EmptyDumpError) as empty:
        await backup.run(restic, backup.BackupOptions(command=("true",)))

    assert [each.id for each in await snapshots.run(restic)] == [empty.value.snapshot_id]


async def test_dumping_what_is_not_there_is_an_error(restic: Restic, source: Path) -> None:
    snapshot = (await back_up(restic, source)).snapshot_id

    with pytest.raises(errors.PathNotFoundError):
        async with dump.open_stream(
            restic, dump.DumpOptions(snapshot=snapshot, path="/nope")
        ) as chunks:
            assert [chunk async for chunk in chunks] == []


async def test_snapshots_are_found_by_tags_and_ids(restic: Restic, source: Path) -> None:
    first = await back_up(restic, source, *make_tags(Tags(app="1", run="a")))
    second = await back_up(restic, source, *make_tags(Tags(app="2", run="b")))

    tagged = await snapshots.run(restic, snapshots.SnapshotsOptions(tags=("app:1", "run:a")))
    by_id = await snapshots.run(restic, snapshots.SnapshotsOptions(ids=(second.snapshot_id,)))

    assert [each.id for each in tagged] == [first.snapshot_id]
    assert [each.id for each in by_id] == [second.snapshot_id]
    assert tagged[0].hostname == "test"
    assert tagged[0].summary is not None
    assert tagged[0].summary.files_new == first.summary.files_new


async def test_ls_tells_one_directory_or_everything(restic: Restic, source: Path) -> None:
    snapshot = (await back_up(restic, source)).snapshot_id

    deep = await ls.run(restic, ls.LsOptions(snapshot=snapshot, paths=("/deep",)))
    everything = await ls.run(restic, ls.LsOptions(snapshot=snapshot))

    assert [node.path for node in deep if node.type == "file"] == ["/deep/[a-z]"]
    assert {node.path for node in everything} >= {"/plain", "/deep", "/deep/[a-z]", "/new\nline"}
    assert next(node for node in everything if node.path == "/big").size == 2_000_000


async def test_a_listing_may_be_left_early(restic: Restic, source: Path) -> None:
    snapshot = (await back_up(restic, source)).snapshot_id

    async with ls.open_stream(restic, ls.LsOptions(snapshot=snapshot)) as nodes:
        async for node in nodes:
            assert node.path
            break

    assert await locks.run(restic) == ()


async def test_a_snapshot_that_is_not_there_is_an_error(restic: Restic, tmp_path: Path) -> None:
    with pytest.raises(errors.SnapshotNotFoundError):
        await restore.run(restic, restore.RestoreOptions(snapshot="abcd", target=str(tmp_path)))
    with pytest.raises(errors.ResticError):
        await ls.run(restic, ls.LsOptions(snapshot=MISSING))


async def test_forget_removes_what_is_named_and_may_be_repeated(
    restic: Restic, source: Path
) -> None:
    gone = (await back_up(restic, source)).snapshot_id
    kept = (await back_up(restic, source)).snapshot_id
    options = forget.ForgetOptions(snapshot_ids=(gone, MISSING))

    preview = await forget.run(restic, forget.ForgetOptions(snapshot_ids=(gone,), dry_run=True))
    first = await forget.run(restic, options)
    again = await forget.run(restic, options)

    assert preview.forgotten == (gone,)
    assert first == forget.ForgetResult(forgotten=(gone,), missing=(MISSING,))
    assert again.missing == (gone, MISSING)
    assert [each.id for each in await snapshots.run(restic)] == [kept]


async def test_prune_frees_what_was_forgotten(restic: Restic, source: Path) -> None:
    (source / "big").write_bytes(os.urandom(3_000_000))
    snapshot = (await back_up(restic, source)).snapshot_id
    before = await stats.run(restic)
    await forget.run(restic, forget.ForgetOptions(snapshot_ids=(snapshot,)))

    plan = await prune.run(restic, prune.PruneOptions(max_unused="0", dry_run=True))
    done = await prune.run(restic, prune.PruneOptions(max_unused="0"))

    assert plan.freed == done.freed > 3_000_000
    assert before.total_size > 3_000_000
    assert (await stats.run(restic)).total_size == 0


async def test_a_whole_repository_passes_its_check(restic: Restic, source: Path) -> None:
    await back_up(restic, source)

    assert (await check.run(restic, check.CheckOptions(read_part=(1, 1)))).sound
    assert (await check.run(restic, check.CheckOptions(read_part=(1, 2), lock=False))).sound


async def test_damage_is_found_and_a_restore_says_what_it_lacks(
    restic: Restic, source: Path, tmp_path: Path
) -> None:
    (source / "big").write_bytes(os.urandom(3_000_000))
    snapshot = (await back_up(restic, source)).snapshot_id
    packs = (Path(restic.repository.url) / "data").rglob("*")
    pack = max((path for path in packs if path.is_file()), key=lambda path: path.stat().st_size)
    pack.chmod(0o600)
    content = bytearray(pack.read_bytes())
    content[:200] = bytes(200)
    pack.write_bytes(content)

    found = await check.run(restic, check.CheckOptions(read_part=(1, 1)))

    assert not found.sound
    assert found.damaged_packs == (pack.name,)
    assert await find.run(restic, find.FindOptions(packs=(pack.name,))) == (snapshot,)
    with pytest.raises(errors.RestoreIncompleteError) as caught:
        await restore.run(
            restic, restore.RestoreOptions(snapshot=snapshot, target=str(tmp_path / "out"))
        )
    assert caught.value.failed_files
    assert caught.value.failed_count >= len(caught.value.failed_files)


async def test_tags_change_and_the_id_with_them(restic: Restic, source: Path) -> None:
    old = (await back_up(restic, source, "app:1")).snapshot_id

    result = await tag.run(restic, tag.TagOptions(snapshot_ids=(old,), add=("run:2",)))

    (snapshot,) = await snapshots.run(restic)
    assert result.changed == {old: snapshot.id}
    assert set(snapshot.tags) == {"app:1", "run:2"}
    assert snapshot.original == old


async def test_a_key_is_added_used_and_removed(restic: Restic) -> None:
    (old,) = await key.list_keys(restic)
    second = Secret("second password")

    new_id = await key.add(restic, second, user="holdfast", host="house")

    other = Restic(
        restic.binary,
        restic.runner,
        Repository(url=restic.repository.url, password=second),
    )
    keys = {each.id: each for each in await key.list_keys(other)}
    assert keys[new_id].current
    assert keys[new_id].user_name == "holdfast"
    await key.remove(other, old.id)
    with pytest.raises(errors.WrongPasswordError):
        await config.run(restic)
    with pytest.raises(errors.ResticError):
        await key.remove(other, new_id)


async def test_a_copy_into_a_twin_keeps_the_tree(
    restic: Restic, source: Path, tmp_path: Path
) -> None:
    snapshot = (await back_up(restic, source)).snapshot_id
    twin = Restic(
        restic.binary,
        restic.runner,
        Repository(url=str(tmp_path / "twin"), password=Secret("other password")),
    )
    await init.run(twin, init.InitOptions(chunker_of=restic.repository))

    asked = copy.CopyOptions(source=restic.repository, snapshot_ids=(snapshot,))
    copied = await copy.run(twin, asked)
    again = await copy.run(twin, asked)

    (there,) = await snapshots.run(twin)
    (here,) = await snapshots.run(restic)
    assert copied == again == copy.CopyResult(copies={here.id: there})
    assert there.tree == here.tree
    ours, theirs = await config.run(restic), await config.run(twin)
    assert ours.chunker_polynomial == theirs.chunker_polynomial


async def test_a_probe_among_the_locks_hinders_nobody(restic: Restic, source: Path) -> None:
    """Holdfast tries there whether a bucket can be written to, while others may be at work."""
    probe = Path(restic.repository.url) / "locks" / f"holdfast-probe-{'0' * 32}"
    probe.write_bytes(b"holdfast was here")

    made = await backup.run(restic, backup.BackupOptions(paths=(str(source),)))
    await forget.run(restic, forget.ForgetOptions(snapshot_ids=(made.snapshot_id,)))
    await prune.run(restic)

    assert await locks.run(restic) == ()
    assert probe.exists()


async def test_unlock_leaves_an_empty_repository_as_it_is(restic: Restic) -> None:
    await unlock.run(restic)

    assert await locks.run(restic) == ()


async def test_a_wrong_password_and_no_repository_are_told_apart(
    restic: Restic, tmp_path: Path
) -> None:
    wrong = Repository(url=restic.repository.url, password=Secret("not it"))
    nowhere = Repository(url=str(tmp_path / "nowhere"), password=Secret("x"))

    with pytest.raises(errors.WrongPasswordError):
        await snapshots.run(Restic(restic.binary, restic.runner, wrong))
    with pytest.raises(errors.RepositoryNotFoundError):
        await snapshots.run(Restic(restic.binary, restic.runner, nowhere))
