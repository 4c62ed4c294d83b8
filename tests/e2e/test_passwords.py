"""A repository's password changed in a running Holdfast, and through a power cut."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.house import House, wait_until
from support.kit import typed
from support.servers import RcloneS3
from support.trees import differences, make_tree, manifest

pytestmark = pytest.mark.e2e


@pytest.fixture
def house(make_house: Any) -> House:
    made: House = make_house(HOLDFAST_CLAIM_SECONDS="2")
    return made


def kit(house: House) -> dict[str, Any]:
    """The recovery kit's entries by name."""
    answer = house.api.http.get("/backup/recovery-kit", params={"format": "json"})
    assert answer.is_success, answer.text
    return {each["name"]: each for each in json.loads(answer.content)["destinations"]}


def rotate(house: House, destination: Any) -> str:
    path = f"/backup/destinations/{destination['id']}/rotate-password"
    return str(house.api.post(path)["run_id"])


def test_backups_and_restores_go_on_with_the_new_password(
    house: House, s3_server: RcloneS3, tmp_path: Path, restic_path: Path
) -> None:
    data = make_tree(tmp_path / "data")
    before = manifest(data)
    places = [
        house.api.local("nas", tmp_path / "nas"),
        house.api.s3("cloud", s3_server, "rotated"),
    ]
    app = house.api.app("photos", data)
    policy = house.api.policy("both", *places)
    tie = house.api.configuration(app, policy)
    assert house.api.back_up(tie)["status"] == "success"
    old = kit(house)

    for place in places:
        run = house.api.outcome(rotate(house, place))
        assert run["status"] == "success", run
        assert run["result"]["removed_keys"] == 1

    assert house.api.get("/status")["recovery_kit"]["state"] == "outdated"
    new = kit(house)
    assert house.api.get("/status")["recovery_kit"]["state"] == "current"
    for name in ("nas", "cloud"):
        assert new[name]["password"] != old[name]["password"]
    assert house.api.back_up(tie)["status"] == "success"
    snapshot = house.api.snapshots(app_id=app["id"])[0]
    house.api.restore(snapshot, tmp_path / "back")
    assert differences(before, manifest(tmp_path / "back" / data.relative_to("/"))) == []
    for name, entry in new.items():
        exports = [f"export {key}='{value}'" for key, value in entry["environment"].items()]
        listed = typed([*exports, entry["commands"][0]], tmp_path / f"bare {name}", restic_path)
        assert "3 snapshots" in listed[-1]  # two of the app, one of the settings


def test_a_power_cut_while_it_is_changed(house: House, tmp_path: Path) -> None:
    data = make_tree(tmp_path / "data")
    place = house.api.local("nas", tmp_path / "nas")
    app = house.api.app("photos", data)
    tie = house.api.default_configuration(app)
    old = kit(house)["nas"]["password"]
    keys = tmp_path / "nas" / "homelab-backups" / "keys"
    (first,) = keys.iterdir()

    run_id = rotate(house, place)
    wait_until(lambda: len(list(keys.iterdir())) != 1 or not first.exists(), what="a new key")
    house.kill()
    house.start()

    assert house.api.outcome(run_id)["status"] == "success"
    assert len(list(keys.iterdir())) == 1
    assert not first.exists()
    assert kit(house)["nas"]["password"] != old
    assert house.api.back_up(tie)["status"] == "success"
