"""What breaks, and what must not come of it: kills, absences, interruptions."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.house import Api, House, Process, restic_processes, wait_until
from support.trees import differences, make_tree, manifest, pour

pytestmark = [pytest.mark.e2e, pytest.mark.s3]

APPS_AND_SETTINGS = 2
"""Snapshots in a repository after one backup: the app's, and the settings that go along."""


def locks(destination: Any) -> list[Path]:
    return list((Path(destination["local_path"]) / "locks").iterdir())


def wait_for_data(destination: Any) -> None:
    """Until restic has begun to write packs: the run is in its middle."""
    packs = Path(destination["local_path"]) / "data"
    wait_until(
        lambda: any(path.is_file() for path in packs.rglob("*")), what="packs are being written"
    )


def test_one_destination_away_is_partial_and_only_that_one_is_tried_again(
    house: House, s3_server: Any, tmp_path: Path
) -> None:
    api = house.api
    near = api.local("near", tmp_path / "near")
    far = api.local("far", tmp_path / "far")
    policy = api.policy("near and far", near, far)
    data = make_tree(tmp_path / "data")
    configuration = api.configuration(api.app("two places", data), policy)
    away = tmp_path / "away"
    (tmp_path / "far").rename(away)

    run = api.back_up(configuration)
    first = api.snapshots(configuration_id=configuration["id"])
    away.rename(tmp_path / "far")

    def retried() -> Any:
        runs = api.get("/backup/runs", configuration_id=configuration["id"])["runs"]
        return next((r for r in runs if r["retry_of"] == run["id"] and r["status"] == "success"), 0)

    retry = wait_until(retried, what="the retry succeeded")
    assert run["status"] == "partial"
    assert {each["destination_id"]: each["status"] for each in first} == {
        near["id"]: "success",
        far["id"]: "failed",
    }
    assert retry["destination_ids"] == [far["id"]]
    assert len(list((Path(near["local_path"]) / "snapshots").iterdir())) == APPS_AND_SETTINGS
    assert len(list((Path(far["local_path"]) / "snapshots").iterdir())) == APPS_AND_SETTINGS


@pytest.fixture
def cluster(tmp_path: Path, nats_url: str, postgres_dsn: str) -> Iterator[Callable[..., Process]]:
    """Start services as processes of their own against the test's servers."""
    environment = {
        "HOLDFAST_DATA": str(tmp_path / "cluster"),
        "HOLDFAST_NATS_URL": nats_url,
        "HOLDFAST_POSTGRES_DSN": postgres_dsn,
        "HOLDFAST_LISTEN": "127.0.0.1:0",
        "HOLDFAST_CLAIM_SECONDS": "4",
        "HOLDFAST_LOG_LEVEL": "DEBUG",
    }
    processes: list[Process] = []

    def start(*names: str) -> Process:
        log = tmp_path / f"{'-'.join(names)}-{len(processes)}.log"
        process = Process(["serve", *names], log, environment)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()


def test_an_executor_killed_in_mid_backup_is_replaced(
    cluster: Callable[..., Process], tmp_path: Path
) -> None:
    rest = cluster("catalog", "scheduler", "retention", "notifier", "gateway")
    api = Api(rest.ready(), (tmp_path / "cluster" / "admin-token").read_text().strip())
    first = cluster("executor")
    first.ready()
    place = api.local("nas", tmp_path / "nas")
    data = pour(tmp_path / "data", 400)
    before = manifest(data)
    app = api.app("big", data)
    configuration = api.default_configuration(app)
    run_id = api.start(configuration)["run_id"]
    wait_for_data(place)

    first.kill()
    cluster("executor").ready()
    most = 0

    def ended() -> Any:
        nonlocal most
        most = max(most, len(restic_processes(place["local_path"])))
        run = api.run(run_id)
        return run if run["status"] in ("success", "partial", "failed") else None

    run = wait_until(ended, seconds=120, what="the run has ended")
    (snapshot,) = api.snapshots(app_id=app["id"])
    api.restore(snapshot, tmp_path / "back")

    api.close()
    assert run["status"] == "success"
    assert run["claim"] == 2
    assert most <= 1
    assert locks(place) == []
    assert len(list((Path(place["local_path"]) / "snapshots").iterdir())) == APPS_AND_SETTINGS
    assert differences(before, manifest(tmp_path / "back" / data.relative_to("/"))) == []


def test_the_whole_process_killed_and_started_again_loses_nothing(
    make_house: Callable[..., House], tmp_path: Path
) -> None:
    house = make_house(HOLDFAST_CLAIM_SECONDS="4")
    place = house.api.local("nas", tmp_path / "nas")
    data = pour(tmp_path / "data", 400)
    app = house.api.app("big", data)
    run_id = house.api.start(house.api.default_configuration(app))["run_id"]
    wait_for_data(place)

    house.kill()
    wait_until(lambda: not restic_processes(place["local_path"]), what="no restic is left")
    house.start()
    run = house.api.outcome(run_id, seconds=120)

    assert run["status"] == "success"
    assert locks(place) == []
    assert [each["status"] for each in house.api.snapshots(app_id=app["id"])] == ["success"]
    assert house.api.get("/backup/destinations")["destinations"][0]["id"] == place["id"]
    assert house.stop() == 0


def test_ctrl_c_during_a_backup_leaves_no_restic_and_no_lock(
    make_house: Callable[..., House], tmp_path: Path
) -> None:
    house = make_house()
    place = house.api.local("nas", tmp_path / "nas")
    app = house.api.app("big", pour(tmp_path / "data", 400))
    house.api.start(house.api.default_configuration(app))
    wait_for_data(place)

    code = house.stop(signal.SIGINT)

    assert code == 0
    assert restic_processes(place["local_path"]) == []
    assert locks(place) == []
    left = subprocess.run(
        ["pgrep", "-f", str(house.data)], capture_output=True, text=True, check=False
    )
    assert left.stdout == ""


def test_a_cancelled_backup_ends_and_leaves_no_lock(house: House, tmp_path: Path) -> None:
    api = house.api
    place = api.local("to cancel", tmp_path / "nas")
    policy = api.policy("cancel me", place)
    configuration = api.configuration(api.app("big one", pour(tmp_path / "data", 400)), policy)
    run_id = api.start(configuration)["run_id"]
    wait_for_data(place)

    api.post(f"/backup/runs/{run_id}/cancel")
    run = api.outcome(run_id)

    assert run["status"] == "cancelled"
    assert locks(place) == []
    assert restic_processes(place["local_path"]) == []
    again = api.http.post(f"/backup/runs/{run_id}/cancel")
    assert again.status_code == 409


def test_no_secret_is_in_the_data_directory_or_in_ps(
    make_house: Callable[..., House], s3_server: Any, tmp_path: Path
) -> None:
    house = make_house()
    cloud = house.api.s3("cloud", s3_server, "secrets")
    local_password = "my very own repository password"
    (tmp_path / "nas").mkdir()
    house.api.post(
        "/backup/destinations/local",
        {
            "name": "nas",
            "device_id": house.api.device(),
            "path": str(tmp_path / "nas"),
            "repo_password": local_password,
        },
    )
    place = house.api.get("/backup/destinations")["destinations"]
    app = house.api.app("big", pour(tmp_path / "data", 200))
    policy = house.api.policy("secret", *place)
    run_id = house.api.start(house.api.configuration(app, policy))["run_id"]
    bucket = s3_server.data / "secrets" / "data"
    looks: list[str] = []

    def look() -> bool:
        listed = subprocess.run(["ps", "auxwwe"], capture_output=True, check=True)
        looks.append(listed.stdout.decode(errors="replace"))
        run = house.api.run(run_id)
        return bool(run["status"] not in ("queued", "in_progress"))

    wait_until(look, seconds=120, what="the backup has ended")
    needles = [local_password, s3_server.secret_key]

    assert cloud["repo_initialized"]
    assert bucket.exists()
    assert any("restic" in each for each in looks)
    for needle in needles:
        mine = [
            line
            for each in looks
            for line in each.splitlines()
            # The S3 server itself was started with its key on the command line.
            if needle in line and "rclone serve s3" not in line
        ]
        assert mine == []
        found = subprocess.run(
            ["grep", "-rlaF", needle, str(house.data), str(house.process.log)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.stdout == ""
    assert os.stat(house.data / "admin-token").st_mode & 0o777 == 0o600
    assert house.stop() == 0
