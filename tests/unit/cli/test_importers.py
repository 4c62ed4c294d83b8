"""Configurations of other tools, read as an export; what has no place in one is said."""

from pathlib import Path

import pytest

from holdfast.cli.importers import Found, read_foreign
from holdfast.cli.importers.resticprofile import as_cron
from holdfast.events.portable import PortableConfiguration, PortableDevice, PortablePolicy
from holdfast.kernel.errors import InvalidRequestError
from support.gateway import ID, WHEN

FIXTURES = Path(__file__).parents[2] / "fixtures" / "importers"
DEVICE = PortableDevice(id=ID, created_at=WHEN, name="nas", type="local", site="default")


def read(tool: str, name: str) -> Found:
    return read_foreign(tool, FIXTURES / name, DEVICE, environment={})


def followed(found: Found, app: str) -> tuple[PortablePolicy, PortableConfiguration]:
    (app_id,) = [each.id for each in found.export.apps if each.name == app]
    (tie,) = [each for each in found.export.configurations if each.app_id == app_id]
    (policy,) = [each for each in found.export.policies if each.id == tie.policy_id]
    return policy, tie


def names(found: Found, policy: PortablePolicy) -> list[str]:
    by_id = {each.id: each.name for each in found.export.destinations}
    return [by_id[each] for each in policy.destination_ids]


def test_backrest() -> None:
    found = read("backrest", "backrest.json")

    minio, usb = found.export.destinations
    assert (minio.s3_endpoint, minio.s3_bucket, minio.s3_prefix) == (
        "http://minio.lan:9000", "backups", "nas",
    )  # fmt: skip
    assert minio.prune_schedule == "0 0 1 * *"
    assert (usb.local_path, usb.local_device_id) == ("/mnt/usb/restic", ID)
    assert found.secrets[minio.id].repo_password == "repo-password-1"
    assert found.secrets[minio.id].s3_secret_key == "secret-of-minio"
    policy, tie = followed(found, "documents")
    assert (policy.schedule, names(found, policy)) == ("30 3 * * *", ["minio"])
    assert (policy.keep_last, policy.keep_hourly, policy.keep_daily) == (3, 24, 30)
    assert (policy.keep_weekly, policy.keep_monthly) == (0, 12)
    assert (tie.exclude_paths, tie.enabled) == (("*.tmp", "node_modules"), True)
    assert found.export.apps[0].paths == ("/srv/documents", "/srv/scans")
    policy, _ = followed(found, "music")
    assert (policy.schedule, policy.keep_last) == ("0 */6 * * *", 10)
    policy, tie = followed(found, "old")
    assert (policy.schedule, policy.destination_ids, tie.enabled) == ("0 0 * * 0", (), False)


def test_what_backrest_has_and_we_have_not_is_said_without_its_secrets() -> None:
    notes = read("backrest", "backrest.json").notes

    assert set(notes) >= {
        "plan 'documents': hooks",
        "plan 'documents': iexcludes",
        "repository 'minio': checkPolicy",
        "repository 'minio': flags",
        "plan 'old': retention: keepWithinDuration",
        "'old': none of its repositories is taken over",
        "the file: auth",
    }
    assert any("'b2'" in note and "S3" in note for note in notes)
    assert not any("secret" in note or "password-" in note for note in notes)


def test_autorestic() -> None:
    found = read("autorestic", ".autorestic.yml")

    remote, hdd = found.export.destinations
    assert (remote.s3_endpoint, remote.s3_bucket) == ("http://localhost:9000", "bucket_name")
    assert found.secrets[remote.id].s3_access_key == "my_key"
    assert (hdd.local_path, found.secrets[hdd.id].repo_password) == (
        "/mnt/my_external_storage", "key-of-hdd",
    )  # fmt: skip
    policy, tie = followed(found, "home")
    assert policy.schedule == "0 3 * * 0"
    assert (policy.keep_last, policy.keep_daily, policy.keep_weekly) == (5, 14, 52)
    assert (tie.exclude_paths, tie.enabled) == (("*.nope", "*.abc"), True)
    policy, tie = followed(found, "important")
    assert (names(found, policy), tie.enabled) == (["remote", "hdd"], False)
    (app,) = [each for each in found.export.apps if each.name == "important"]
    assert app.paths == ("/path/to/important/stuff", str(FIXTURES / "beside"))
    assert set(found.notes) >= {
        "location 'home': hooks",
        "location 'home': forget: keep-within",
        "location 'home': backup: exclude-file",
        "location 'database': type volume",
        "'important': it has no schedule, so it is switched off",
    }
    assert not any("user:pass" in note for note in found.notes)


def test_resticprofile() -> None:
    found = read("resticprofile", "profiles.yaml")

    (backup,) = found.export.destinations
    assert backup.local_path == "/tmp/backup"
    assert found.secrets[backup.id].repo_password == "password-from-the-file"
    assert [each.name for each in found.export.apps] == ["documents", "src"]
    assert followed(found, "documents")[0].schedule == "0,30 * * * *"
    policy, tie = followed(found, "src")
    assert (policy.schedule, policy.keep_last, policy.keep_daily) == ("30 2 * * 1-5", 3, 7)
    assert tie.exclude_paths == ("/**/.git",)
    assert set(found.notes) >= {
        "profile 'documents': all of its schedules but the first",
        "profile 'src': backup: run-after",
        "profile 'src': backup: check-before",
        "profile 'src': retention: keep-within",
        "profile 'stdin': its backup has no source, as one from standard input",
        "the file: groups",
    }


def test_resticprofile_in_toml() -> None:
    found = read("resticprofile", "profiles.toml")

    (bucket,) = found.export.destinations
    assert (bucket.s3_endpoint, bucket.s3_bucket, bucket.s3_prefix, bucket.s3_region) == (
        "https://s3.eu-central-1.amazonaws.com", "bucket", "house", "eu-central-1",
    )  # fmt: skip
    assert followed(found, "src")[0].schedule == "0 0 * * *"


@pytest.mark.parametrize(
    ("calendar", "cron"),
    [
        ("daily", "0 0 * * *"),
        ("*:00,15,30,45", "0,15,30,45 * * * *"),
        ("02:30", "30 2 * * *"),
        ("Mon 02:30:00", "30 2 * * 1"),
        ("sat,sun 10:00", "0 10 * * 6,0"),
        ("*-*-* 03:05:00", "5 3 * * *"),
        ("*-*-01 04:00", "0 4 1 * *"),
        ("*-*-1", "0 0 1 * *"),
        ("Mon..Fri 02:30", "30 2 * * 1-5"),
        ("*-*-* *:*:30", None),
        ("2026-01-01 00:00", None),
        ("never", None),
        ("", None),
    ],
)
def test_systemd_calendars_as_cron(calendar: str, cron: str | None) -> None:
    assert as_cron(calendar) == cron


def test_reading_twice_gives_the_same_ids() -> None:
    assert read("backrest", "backrest.json") == read("backrest", "backrest.json")


@pytest.mark.parametrize("content", ["{{ define", "- a list", "!!python/object:os.system {}", ""])
def test_what_is_no_configuration_is_refused_without_being_quoted(
    content: str, tmp_path: Path
) -> None:
    path = tmp_path / "profiles.yaml"
    path.write_text(content)

    with pytest.raises(InvalidRequestError) as raised:
        read_foreign("resticprofile", path, DEVICE, environment={})

    assert content == "" or content not in raised.value.detail
