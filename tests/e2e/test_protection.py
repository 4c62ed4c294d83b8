"""An append-only destination from outside: backed up to, attacked, restored from, survived."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.house import House, wait_until
from support.trees import differences, make_tree, manifest

pytestmark = [pytest.mark.e2e, pytest.mark.s3]
ATTACKS = {"prune", "delete_snapshot", "overwrite_pack", "delete_pack"}


def rclones(run_id: str) -> list[int]:
    """Living ones of a run."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            marked = f"HOLDFAST_RUN={run_id}".encode() in (entry / "environ").read_bytes()
            if marked and (entry / "comm").read_text() == "rclone\n":
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_a_destination_says_what_an_attack_proved(
    house: House, s3_server: Any, tmp_path: Path
) -> None:
    api = house.api
    cloud = api.s3("cloud", s3_server, "protection")
    path = f"/backup/destinations/{cloud['id']}"
    api.post(f"{path}/protection-test")
    assert api.get(path)["protects_from"] == []
    assert api.get(path)["protection_tested_at"] is not None

    changed = api.patch(path, {"append_only": True, "limits": {"compression": "max"}})
    assert changed["protection_tested_at"] is None
    data = make_tree(tmp_path / "data")
    before = manifest(data)
    configuration = api.configuration(api.app("notes", data), api.policy("cloud", cloud))
    assert api.back_up(configuration)["status"] == "success"
    run = api.post(f"{path}/protection-test")

    assert run["status"] == "success", run
    assert {each["attack"] for each in run["result"]["attacks"] if each["refused"]} == ATTACKS
    assert set(api.get(path)["protects_from"]) == ATTACKS
    (snapshot,) = api.snapshots(destination_id=cloud["id"])
    api.restore(snapshot, tmp_path / "back")
    restored = tmp_path / "back" / data.relative_to("/")
    assert differences(before, manifest(restored)) == []


def test_a_killed_executor_leaves_no_rclone_and_the_next_one_finishes(
    make_house: Callable[..., House], tmp_path: Path
) -> None:
    house = make_house(HOLDFAST_CLAIM_SECONDS="3")
    api = house.api
    nas = api.local("nas", tmp_path / "nas")
    slow = {"append_only": True, "limits": {"upload_kib": 512}}
    api.patch(f"/backup/destinations/{nas['id']}", slow)
    big = tmp_path / "big"
    big.write_bytes(os.urandom(4 << 20))
    configuration = api.configuration(api.app("media", big), api.policy("nas", nas))
    run_id = api.start(configuration)["run_id"]
    wait_until(lambda: rclones(run_id), what="a relay runs")

    house.kill()

    wait_until(lambda: not rclones(run_id), what="rclone ends")
    house.start()
    assert house.api.outcome(run_id)["status"] == "success"
    assert len(house.api.snapshots(destination_id=nas["id"])) == 1
    assert rclones(run_id) == []
