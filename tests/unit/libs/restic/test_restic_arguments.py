"""Arguments, environment and what must never be in them."""

from datetime import UTC, datetime, timedelta

import pytest

from holdfast.kernel.errors import InvalidRequestError
from holdfast.kernel.secret import Secret
from holdfast.restic import Repository, Restic, S3Access
from holdfast.restic.commands import backup, check, copy, forget, key, ls, prune, restore, tag
from holdfast.restic.environment import (
    ConflictingCredentialsError,
    arguments_of,
    credentials_file,
    environment_of,
    from_repository,
    secrets_of,
)
from holdfast.restic.patterns import exact_pattern
from holdfast.restic.testing import Reply, ScriptedRunner

ACCESS = S3Access(access_key=Secret("AKID"), secret_key=Secret("hidden-key"), region="eu-1")
S3 = Repository(
    url="s3:http://host:9000/bucket/prefix",
    password=Secret("hidden-password"),
    s3=ACCESS,
    cache_dir="/cache",
    upload_limit=100,
    download_limit=200,
    compression="max",
    pack_size=64,
    key_hint="abc",
    options=("s3.connections=3",),
)
ID = "a" * 64


def test_a_repository_becomes_options_without_secrets() -> None:
    assert arguments_of(S3) == (
        "--cache-dir", "/cache", "--limit-upload", "100", "--limit-download", "200",
        "--compression", "max", "--pack-size", "64",
        "--key-hint", "abc", "-o", "s3.bucket-lookup=auto", "-o", "s3.region=eu-1",
        "-o", "s3.connections=3",
    )  # fmt: skip
    assert environment_of(S3)["RESTIC_REPOSITORY"] == S3.url
    assert "hidden" not in repr((arguments_of(S3), environment_of(S3), secrets_of(S3)))


def test_secrets_are_files_by_name() -> None:
    secrets = secrets_of(S3)

    assert secrets["RESTIC_PASSWORD_FILE"].reveal() == "hidden-password"
    assert "`hidden-key`" in secrets["AWS_SHARED_CREDENTIALS_FILE"].reveal()


def test_an_address_with_a_password_is_a_secret_as_a_whole() -> None:
    relay = Repository(url="rest:http://me:hush@127.0.0.1:8000/x/", password=Secret("p"))

    assert "RESTIC_REPOSITORY" not in environment_of(relay)
    assert secrets_of(relay)["RESTIC_REPOSITORY_FILE"].reveal() == relay.url


@pytest.mark.parametrize("url", ["/srv/a:b@c", "sftp:me@host:/x", "s3:https://h:1/b/a:b@c"])
def test_an_address_without_a_password_may_be_seen(url: str) -> None:
    assert not Repository(url=url, password=Secret("p")).names_a_password


@pytest.mark.parametrize("bad", ["a\nb", "tick`"])
def test_an_s3_key_that_would_break_out_of_its_line_is_refused(bad: str) -> None:
    with pytest.raises(InvalidRequestError):
        credentials_file(S3Access(access_key=Secret("AKID"), secret_key=Secret(bad)))


def test_two_sets_of_s3_credentials_are_refused() -> None:
    other = Repository(
        url="s3:http://other/b",
        password=Secret("q"),
        s3=S3Access(access_key=Secret("AKID"), secret_key=Secret("another")),
    )

    with pytest.raises(ConflictingCredentialsError):
        from_repository(other, S3)


def test_the_source_of_a_copy_has_its_own_password_and_shares_credentials() -> None:
    local = Repository(url="/here", password=Secret("p"))

    environment, secrets = from_repository(S3, local)

    assert environment == {"RESTIC_FROM_REPOSITORY": S3.url, "RESTIC_FROM_KEY_HINT": "abc"}
    assert set(secrets) == {"RESTIC_FROM_PASSWORD_FILE", "AWS_SHARED_CREDENTIALS_FILE"}


async def test_every_call_has_the_mark_of_its_run_and_waits_for_the_lock() -> None:
    runner = ScriptedRunner().on("unlock", Reply())
    restic = Restic("restic", runner, S3, run_id="r1", retry_lock=timedelta(seconds=90))

    await restic.run(("unlock",))

    (program,) = runner.programs
    assert program.run_id == "r1"
    assert program.argv[:2] == ("restic", "--json")
    assert program.argv[-3:] == ("--retry-lock", "90s", "unlock")


def test_backup_arguments() -> None:
    options = backup.BackupOptions(
        paths=("-odd", "/srv"),
        tags=("app:1", "run:2"),
        host="nas",
        excludes=("*.tmp",),
        exclude_caches=True,
        skip_if_unchanged=True,
        time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )

    assert backup.argv(options) == (
        "backup", "--group-by", "tags", "--tag", "app:1",
        "--tag", "run:2", "--host", "nas", "--exclude", "*.tmp",
        "--time", "2026-01-02 03:04:05", "--exclude-caches", "--skip-if-unchanged",
        "--", "-odd", "/srv",
    )  # fmt: skip
    assert backup.stdin(options) == b""


def test_many_paths_go_through_standard_input() -> None:
    options = backup.BackupOptions(paths=tuple(f"/srv/{n:060}" for n in range(1500)))

    assert backup.argv(options)[-2:] == ("--files-from-raw", "/dev/stdin")
    assert backup.stdin(options).count(b"\0") == 1500


def test_a_path_that_is_not_utf_8_keeps_its_bytes() -> None:
    filler = tuple("/x" * 100 for _ in range(400))
    options = backup.BackupOptions(paths=("/\udcff", *filler))

    assert backup.stdin(options).startswith(b"/\xff\0")


def test_a_dump_is_restics_own_child() -> None:
    options = backup.BackupOptions(command=("pg_dump", "-Fc"), stdin_filename="db.dump")

    assert backup.argv(options)[-6:] == (
        "--stdin-from-command", "--stdin-filename", "db.dump", "--", "pg_dump", "-Fc",
    )  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [
        backup.BackupOptions(),
        backup.BackupOptions(paths=("/a",), command=("b",)),
        backup.BackupOptions(paths=("",)),
        backup.BackupOptions(paths=("a\0b",)),
        backup.BackupOptions(paths=("/a",), tags=("a,b",)),
    ],
)
def test_a_backup_that_cannot_be_told_to_restic_is_refused(options: backup.BackupOptions) -> None:
    with pytest.raises(InvalidRequestError):
        backup.argv(options)


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/srv/plain", "/srv/plain"),
        ("/srv/[x]*", "/srv/\\[x]\\*"),
        ("/srv/a?\\b", "/srv/a\\?\\\\b"),
        ("/srv/\N{REPLACEMENT CHARACTER}.txt", "/srv/?.txt"),
    ],
)
def test_a_path_becomes_a_pattern_that_means_only_it(path: str, pattern: str) -> None:
    assert exact_pattern(path) == pattern


def test_a_relative_path_is_no_exact_pattern() -> None:
    with pytest.raises(ValueError, match="not absolute"):
        exact_pattern("srv")


def test_restore_arguments() -> None:
    options = restore.RestoreOptions(
        snapshot=ID,
        target="/out",
        subfolder="/srv/app",
        include=("/a*",),
        overwrite=restore.Overwrite.IF_CHANGED,
        dry_run=True,
    )

    assert restore.argv(options, actions=True) == (
        "restore", "--target", "/out", "--overwrite", "if-changed", "--include", "/a\\*",
        "--dry-run", "--verbose=2", "--", f"{ID}:/srv/app",
    )  # fmt: skip


def test_forget_is_by_whole_ids_only() -> None:
    assert forget.argv(forget.ForgetOptions(snapshot_ids=(ID,))) == ("forget", "--", ID)
    for bad in ("latest", "abcdef12", "--keep-last=1"):
        with pytest.raises(InvalidRequestError):
            forget.argv(forget.ForgetOptions(snapshot_ids=(ID, bad)))


def test_forgetting_nothing_is_refused_because_restic_would_mean_all() -> None:
    with pytest.raises(forget.NothingToForgetError):
        forget.argv(forget.ForgetOptions(snapshot_ids=()))


async def test_a_bad_id_is_refused_before_the_first_part_goes() -> None:
    runner = ScriptedRunner()
    ids = (ID,) * 1000 + ("latest",)

    with pytest.raises(InvalidRequestError):
        await forget.run(Restic("restic", runner, S3), forget.ForgetOptions(snapshot_ids=ids))

    assert runner.programs == []


def test_copy_and_tag_without_ids_are_refused_because_that_means_all() -> None:
    with pytest.raises(InvalidRequestError):
        copy.argv(copy.CopyOptions(source=S3, snapshot_ids=()))
    with pytest.raises(InvalidRequestError):
        tag.argv(tag.TagOptions(snapshot_ids=(), add=("a:b",)))


def test_a_key_is_removed_by_its_whole_id_only() -> None:
    assert key.remove_argv(ID) == ("key", "remove", "--", ID)
    with pytest.raises(InvalidRequestError):
        key.remove_argv("aaaa")


def test_check_reads_a_part_of_parts() -> None:
    assert check.argv(check.CheckOptions(read_part=(2, 7))) == (
        "check", "--json=false", "--read-data-subset", "2/7",
    )  # fmt: skip
    with pytest.raises(InvalidRequestError):
        check.argv(check.CheckOptions(read_part=(8, 7)))


def test_listing_takes_no_lock() -> None:
    assert ls.argv(ls.LsOptions(snapshot=ID, paths=("/a b",))) == (
        "ls", "--no-lock", "--", ID, "/a b",
    )  # fmt: skip


def test_prune_arguments() -> None:
    options = prune.PruneOptions(max_unused="5%", max_repack_size="10G", dry_run=True)

    assert prune.argv(options) == (
        "prune", "--max-unused", "5%", "--max-repack-size", "10G", "--dry-run",
    )  # fmt: skip
