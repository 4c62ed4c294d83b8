"""The command line, as a person on the same machine uses it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.house import House, clean_environment
from support.sshd import Sshd
from support.trees import differences, make_tree, manifest

pytestmark = pytest.mark.e2e


def holdfast(house: House | None, *arguments: str, **environment: str) -> Any:
    """Run a command; it finds the house by the data directory alone."""
    found = {"HOLDFAST_DATA": str(house.data)} if house else {}
    return subprocess.run(
        [sys.executable, "-m", "holdfast", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**clean_environment(), "COLUMNS": "200", **found, **environment},
        check=False,
    )


@pytest.fixture(scope="module")
def data(house: House, tmp_path_factory: pytest.TempPathFactory) -> Path:
    scratch = tmp_path_factory.mktemp("cli")
    house.api.local("cli nas", scratch / "nas")
    data = make_tree(scratch / "data", seed=21)
    house.api.app("typed", data)
    return data


def test_backup_list_and_restore(house: House, data: Path, tmp_path: Path) -> None:
    before = manifest(data)

    backed_up = holdfast(house, "backup", "typed")
    listed = holdfast(house, "snapshots", "--app", "typed")
    restored = holdfast(house, "restore", "latest:typed", str(tmp_path))
    runs = holdfast(house, "runs")
    status = holdfast(house, "status")

    assert backed_up.returncode == 0, backed_up.stderr
    assert "success" in backed_up.stdout
    assert "typed" in listed.stdout
    assert restored.returncode == 0, restored.stdout + restored.stderr
    assert differences(before, manifest(tmp_path / data.relative_to("/"))) == []
    assert "restore" in runs.stdout
    assert "typed" in status.stdout
    assert "cli nas" in status.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["backup", "nobody"], "There is no app 'nobody'"),
        (["restore", "nonsense", "/tmp/x"], "is not an id"),
        (["restore", "latest:nobody", "/tmp/x"], "There is no app"),
        (["runs", "--cancel", "nonsense"], "is not an id"),
        (["snapshots", "--app", "nobody"], "There is no app"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    house: House, data: Path, arguments: list[str], says: str
) -> None:
    done = holdfast(house, *arguments)

    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_running_holdfast_it_says_how_to_start_one(tmp_path: Path) -> None:
    done = holdfast(None, "status", HOLDFAST_DATA=str(tmp_path))

    assert done.returncode == 1
    assert "holdfast up" in done.stderr


def test_a_wrong_token_is_said(house: House) -> None:
    done = holdfast(house, "status", HOLDFAST_TOKEN="hf_wrong")

    assert done.returncode == 1
    assert "token" in done.stderr


def test_the_demo_succeeds_and_leaves_the_folder_alone(tmp_path: Path) -> None:
    data = make_tree(tmp_path / "precious", seed=5)
    before = manifest(data)

    done = holdfast(None, "demo", str(data))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "every byte, mode, owner, time and link" in done.stdout
    assert "is gone" in done.stdout
    assert differences(before, manifest(data)) == []


def test_the_demo_of_what_is_no_folder_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    done = holdfast(None, "demo", str(tmp_path / "file"))

    assert done.returncode == 1
    assert "is not a directory" in done.stderr


def test_the_doctor_finds_everything(house: House) -> None:
    done = holdfast(house, "doctor")

    assert done.returncode == 0, done.stdout
    assert "restic" in done.stdout


@pytest.mark.sftp
def test_an_sftp_destination_is_added_tested_listed_and_removed(
    house: House, sshd: Sshd, tmp_path: Path
) -> None:
    (tmp_path / "nas").mkdir()
    key = tmp_path / "key"
    key.write_text(sshd.private_key)
    place = ("typed sftp", "127.0.0.1", sshd.user, str(tmp_path / "nas"))

    added = holdfast(
        house,
        *("destination", "add-sftp", *place),
        *("--port", str(sshd.port), "--private-key", str(key)),
    )
    tested = holdfast(house, "destination", "test", "typed sftp")
    listed = holdfast(house, "destination", "list")
    removed = holdfast(house, "destination", "remove", "typed sftp", "--detach")
    again = holdfast(house, "destination", "test", "typed sftp")

    assert added.returncode == 0, added.stderr
    assert sshd.fingerprint in added.stdout
    assert tested.returncode == 0, tested.stdout
    assert f"{sshd.user}@127.0.0.1:{tmp_path}/nas/homelab-backups" in listed.stdout
    assert "stay at" in removed.stdout
    assert (tmp_path / "nas" / "homelab-backups" / "config").exists()
    assert again.returncode != 0
    assert "There is no destination" in again.stderr


def test_the_recovery_kit_is_asked_for_until_it_is_made(house: House, data: Path) -> None:
    scratch = data.parent
    before = holdfast(house, "doctor")
    secret = scratch / "passphrase"
    secret.write_text("a passphrase\n")

    made = holdfast(
        house, "recovery-kit", "--out", str(scratch / "kit.html"), "--passphrase-file", str(secret)
    )
    opened = holdfast(
        house, "recovery-kit", "open", str(scratch / "kit.html"), "--passphrase-file", str(secret)
    )
    plain = holdfast(house, "recovery-kit", "--out", str(scratch / "kit.json"), "--no-passphrase")
    after = holdfast(house, "doctor")

    assert "never made" in before.stdout
    assert "holdfast recovery-kit" in before.stdout
    assert made.returncode == 0, made.stderr
    assert (scratch / "kit.html").stat().st_mode & 0o777 == 0o600
    (entry,) = json.loads((scratch / "kit.json").read_text())["destinations"]
    assert plain.returncode == 0, plain.stderr
    assert entry["password"] in opened.stdout
    assert entry["password"] not in (scratch / "kit.html").read_text()
    assert "never made" not in after.stdout
    assert "recovery kit" in after.stdout


def test_the_master_key_is_changed_while_everything_runs(make_house: Any) -> None:
    house = make_house()
    house.data.with_suffix(".pass").write_text("a long enough passphrase\n")

    rotated = holdfast(
        house,
        *("keys", "rotate", "--to", "passphrase"),
        *("--passphrase-file", str(house.data.with_suffix(".pass"))),
    )
    status = holdfast(house, "keys", "status")
    house.kill()
    house.environment["HOLDFAST_MASTER_PASSPHRASE"] = "a long enough passphrase"
    house.start()
    finished = holdfast(
        house, "keys", "finish", HOLDFAST_MASTER_PASSPHRASE="a long enough passphrase"
    )
    house.kill()
    stopped = holdfast(
        house, "keys", "status", HOLDFAST_MASTER_PASSPHRASE="a long enough passphrase"
    )

    assert rotated.returncode == 0, rotated.stderr
    assert "a key file" in status.stdout
    assert "a passphrase" in status.stdout
    assert finished.returncode == 0, finished.stderr
    assert "a key file" not in stopped.stdout
    assert stopped.returncode == 0, stopped.stderr
    house.start()


def test_the_first_start_says_what_to_do_next(make_house: Any) -> None:
    house = make_house()
    assert house.process.popen.stdout is not None
    assert "Add a destination" in house.process.popen.stdout.readline()
    assert "that page and restic" in house.process.popen.stdout.readline()
    house.process.stop()

    house.start()
    stdout = house.process.popen.stdout
    house.process.popen.terminate()
    assert stdout.read() == ""
