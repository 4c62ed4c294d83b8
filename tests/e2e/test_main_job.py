"""The main job: back up, lose the data, restore, to a local and an S3 destination at once."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from support.house import House, wait_until
from support.trees import differences, make_tree, manifest

pytestmark = [pytest.mark.e2e, pytest.mark.s3]


@pytest.fixture(scope="module")
def backed_up(house: House, s3_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An app with a snapshot at each of two destinations of one policy."""
    scratch = tmp_path_factory.mktemp("main-job")
    api = house.api
    local = api.local("nas", scratch / "nas")
    cloud = api.s3("cloud", s3_server, "main-job")
    policy = api.policy("both", local, cloud)
    data = make_tree(scratch / "data")
    app = api.app("notes", data)
    configuration = api.configuration(app, policy)
    before = manifest(data)
    run = api.back_up(configuration)
    return {
        "run": run,
        "data": data,
        "before": before,
        "app": app,
        "configuration": configuration,
        "local": local,
        "cloud": cloud,
        "scratch": scratch,
    }


def test_one_run_makes_a_snapshot_at_each_destination(house: House, backed_up: Any) -> None:
    snapshots = house.api.snapshots(app_id=backed_up["app"]["id"])

    assert backed_up["run"]["status"] == "success"
    assert {each["destination_id"] for each in snapshots} == {
        backed_up["local"]["id"],
        backed_up["cloud"]["id"],
    }
    assert all(each["status"] == "success" for each in snapshots)
    assert all(len(each["restic_snapshot_id"]) == 64 for each in snapshots)
    assert all(each["total_size"] > 0 for each in snapshots)


@pytest.mark.parametrize("place", ["local", "cloud"])
def test_lost_data_comes_back_byte_for_byte(house: House, backed_up: Any, place: str) -> None:
    api = house.api
    (snapshot,) = api.snapshots(
        app_id=backed_up["app"]["id"], destination_id=backed_up[place]["id"]
    )
    shutil.rmtree(backed_up["data"])

    answer = api.restore(snapshot, Path("/"), [str(backed_up["data"])])

    assert answer == {
        "success": True,
        "message": "Restore completed successfully",
        "restored_path": "/",
    }
    assert differences(backed_up["before"], manifest(backed_up["data"])) == []


def test_selected_files_are_restored_and_nothing_else(
    house: House, backed_up: Any, tmp_path: Path
) -> None:
    snapshot = house.api.snapshots(app_id=backed_up["app"]["id"])[0]
    data = backed_up["data"]

    house.api.restore(snapshot, tmp_path, [str(data / "[glob]*?"), str(data / "script.sh")])

    restored = tmp_path / data.relative_to("/")
    assert sorted(path.name for path in restored.iterdir()) == ["[glob]*?", "script.sh"]
    assert (restored / "[glob]*?").read_text() == "literal"


def test_a_file_that_is_not_in_the_snapshot_is_an_error_that_names_it(
    house: House, backed_up: Any, tmp_path: Path
) -> None:
    snapshot = house.api.snapshots(app_id=backed_up["app"]["id"])[0]
    body = {
        "target_device_id": house.api.device(),
        "target_path": str(tmp_path),
        "files": [str(backed_up["data"] / "secret"), "/no/such/file"],
    }

    answer = house.api.http.post(
        f"/backup/snapshots/{snapshot['id']}/restore", json=body, params={"wait": "true"}
    )

    assert 400 <= answer.status_code < 500
    assert "/no/such/file" in answer.json()["detail"]
    assert list(tmp_path.iterdir()) == []


def test_a_restore_never_overwrites_a_changed_file_unless_told(
    house: House, backed_up: Any
) -> None:
    snapshot = house.api.snapshots(app_id=backed_up["app"]["id"])[0]
    precious = backed_up["data"] / "script.sh"
    precious.write_text("my work of today, longer than before")
    body = {
        "target_device_id": house.api.device(),
        "target_path": "/",
        "files": [str(precious)],
    }
    path = f"/backup/snapshots/{snapshot['id']}/restore"

    refused = house.api.http.post(path, json=body, params={"wait": "true"})
    kept = precious.read_text()
    allowed = house.api.http.post(path, json={**body, "overwrite": True}, params={"wait": "true"})

    assert refused.status_code == 409
    assert str(precious) in refused.json()["detail"]
    assert kept == "my work of today, longer than before"
    assert allowed.status_code == 200
    assert precious.read_text() == "#!/bin/sh\n"


def test_a_second_backup_adds_almost_nothing(house: House, backed_up: Any) -> None:
    run = house.api.back_up(backed_up["configuration"])

    latest = [
        each
        for each in house.api.snapshots(app_id=backed_up["app"]["id"])
        if each["run_id"] == run["id"]
    ]
    assert run["status"] == "success"
    assert len(latest) == 2
    assert all(each["files_new"] == 0 for each in latest)


def test_retention_forgets_in_the_repository_itself(
    house: House, tmp_path: Path, s3_server: Any
) -> None:
    api = house.api
    place = api.local("short memory", tmp_path / "nas")
    policy = api.policy("last two", place, keep_last=2)
    data = make_tree(tmp_path / "data", seed=3)
    configuration = api.configuration(api.app("fleeting", data), policy)
    for _ in range(4):
        assert api.back_up(configuration)["status"] == "success"

    repository = Path(place["local_path"])
    wait_until(
        lambda: len(list((repository / "snapshots").iterdir())) == 2 + 1,
        what="two snapshots, and the settings, are left in the repository",
    )
    rows = api.snapshots(configuration_id=configuration["id"])
    wait_until(
        lambda: (
            sum(
                bool(each["forgotten_at"])
                for each in api.snapshots(configuration_id=configuration["id"])
            )
            == 2
        ),
        what="two rows say that they are forgotten",
    )
    assert len(rows) == 4


def test_a_scheduled_backup_fires_with_nobody_asking(house: House, tmp_path: Path) -> None:
    api = house.api
    place = api.local("by the clock", tmp_path / "nas")
    policy = api.policy("every minute", place, schedule="* * * * *", keep_last=100)
    configuration = api.configuration(
        api.app("clockwork", make_tree(tmp_path / "data", seed=4)), policy
    )

    def fired() -> Any:
        found = api.get("/backup/runs", configuration_id=configuration["id"])["runs"]
        return next((each for each in found if each["status"] == "success"), None)

    run = wait_until(fired, seconds=100, what="a run that nobody asked for")
    api.patch(f"/backup/policies/{policy['id']}", {"enabled": False})
    assert run["trigger"] == "schedule"
    assert run["scheduled_for"].endswith(":00Z")
