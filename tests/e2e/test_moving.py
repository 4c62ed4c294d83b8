"""Moving: an instance into another one, and the repository of another tool under ours."""

import json
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.restic.binary import find_restic
from support.house import Api, House, wait_until
from support.trees import differences, make_tree, manifest

pytestmark = pytest.mark.e2e


def snapshots_of(api: Api, app: str, many: int) -> list[dict[str, Any]]:
    """The app's snapshots once there are so many: a run brings them after an import."""
    (app_id,) = [each["id"] for each in api.get("/apps")["apps"] if each["name"] == app]

    def there() -> Any:
        found = api.snapshots(app_id=app_id)
        return found if len(found) >= many else None

    return list(wait_until(there, what=f"{many} snapshots of {app}"))


def test_an_export_moves_an_instance_with_its_secrets(
    make_house: Callable[..., House], tmp_path: Path
) -> None:
    old = make_house()
    nas = old.api.local("nas", tmp_path / "nas")
    policy = old.api.policy("nightly", nas, keep_last=9)
    data = make_tree(tmp_path / "notes")
    old.api.back_up(old.api.configuration(old.api.app("notes", data), policy))
    content = manifest(data)
    file, passphrase = tmp_path / "house.json", tmp_path / "passphrase"
    passphrase.write_text("a passphrase for the way\n")
    (tmp_path / "wrong").write_text("another\n")

    answer = old.command("export", "--out", file, "--passphrase-file", passphrase)

    assert answer.returncode == 0, answer.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["sealed"]["sealed"]
    assert old.stop() == 0

    new = make_house()
    refused = new.command("import", file, "--passphrase-file", tmp_path / "wrong")
    dry = new.command("import", file, "--passphrase-file", passphrase, "--dry-run")
    assert (refused.returncode, "passphrase" in refused.stderr) == (1, True)
    assert (dry.returncode, new.api.get("/apps")["apps"]) == (0, [])

    answer = new.command("import", file, "--passphrase-file", passphrase)

    assert answer.returncode == 0, answer.stdout + answer.stderr
    (destination,) = new.api.get("/backup/destinations")["destinations"]
    assert (destination["id"], destination["repository_id"]) == (nas["id"], nas["repository_id"])
    (snapshot,) = snapshots_of(new.api, "notes", 1)
    new.api.restore(snapshot, tmp_path / "back")
    assert differences(content, manifest(tmp_path / "back" / str(data)[1:])) == []
    again = new.command("import", file, "--passphrase-file", passphrase)
    assert "0 created, 0 changed" in again.stdout


def test_an_export_without_secrets_has_none(house: House, tmp_path: Path) -> None:
    house.api.local("plain", tmp_path / "plain")

    answer = house.command("export", "--without-secrets")

    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["sealed"] is None
    assert 'password":' not in answer.stdout


def test_a_repository_of_backrest_is_taken_over_without_an_upload(
    house: House, tmp_path: Path
) -> None:
    data, repository = make_tree(tmp_path / "music"), tmp_path / "restic"
    environment = {**os.environ, "RESTIC_PASSWORD": "swordfish", "RESTIC_REPOSITORY": repository}
    backup = ["backup", "--tag", "plan:music", str(data)]
    for arguments in (["init"], backup, backup):
        subprocess.run(
            [find_restic(), *arguments], env=environment, check=True, capture_output=True
        )
    content = manifest(data)
    config = {
        "instance": socket.gethostname(),
        "repos": [{"id": "disk", "uri": str(repository), "password": "swordfish"}],
        "plans": [
            {
                "id": "music",
                "repo": "disk",
                "paths": [str(data)],
                "schedule": {"cron": "0 4 * * *"},
                "retention": {"policyKeepLastN": 7},
                "hooks": [{"actionCommand": {"command": "echo"}}],
            }
        ],
    }
    (tmp_path / "config.json").write_text(json.dumps(config))

    answer = house.command("import", "--from", "backrest", tmp_path / "config.json")

    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "not mapped: plan 'music': hooks" in answer.stdout
    found = snapshots_of(house.api, "music", 2)
    house.api.restore(found[0], tmp_path / "back")
    assert differences(content, manifest(tmp_path / "back" / str(data)[1:])) == []
    ties = house.api.get("/backup/configurations")["configurations"]
    (tie,) = [each for each in ties if each["app_id"] == found[0]["app_id"]]
    run = house.api.back_up(tie)
    assert run["status"] == "success", run
    newest = house.api.snapshots(app_id=found[0]["app_id"])[0]
    assert newest["files_new"] == 0
    assert newest["data_added"] < newest["total_size"] / 100 + 4096
