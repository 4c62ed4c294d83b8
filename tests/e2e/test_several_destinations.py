"""Two destinations as a person has them: mirrored, damaged, told of, healed, restored."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.house import House, clean_environment
from support.trees import differences, make_tree, manifest

pytestmark = [pytest.mark.e2e, pytest.mark.s3]


def test_a_mirror_is_healed_and_restored_from(house: House, s3_server: Any, tmp_path: Path) -> None:
    api = house.api
    cloud = api.s3("mirrored cloud", s3_server, "mirrored")
    nas = api.local("mirrored nas", tmp_path / "nas")
    policy = api.policy("mirrored", cloud, nas)
    data = make_tree(tmp_path / "data")
    app = api.app("mirrored", data)
    run = api.back_up(api.configuration(app, policy))
    before = manifest(data)
    snapshots = {each["destination_id"]: each for each in api.snapshots(app_id=app["id"])}

    assert policy["fan_out"] == "mirror"
    assert run["status"] == "success"
    assert run["replicas_differ"] is False
    assert [snapshots[each["id"]]["way"] for each in (cloud, nas)] == ["backup", "mirror"]
    assert snapshots[cloud["id"]]["tree"] == snapshots[nas["id"]]["tree"] != ""

    packs = [each for each in (tmp_path / "nas").rglob("data/*/*") if each.is_file()]
    there = {each.name for each in s3_server.data.rglob("data/*/*") if each.is_file()}
    # The settings that each repository carries are its own; the next backup writes them anew.
    both = [each for each in packs if each.name in there]
    for pack in packs:
        pack.unlink()
    healed = subprocess.run(
        [sys.executable, "-m", "holdfast", "heal", "mirrored nas"],
        capture_output=True,
        text=True,
        timeout=120,
        env={**clean_environment(), "HOLDFAST_DATA": str(house.data), "COLUMNS": "200"},
        check=False,
    )

    assert healed.returncode == 0, healed.stdout + healed.stderr
    assert f"{len(both)} objects and 0 snapshots restored" in healed.stdout
    target = tmp_path / "restored"
    target.mkdir()
    answer = api.restore(snapshots[nas["id"]], target)
    assert answer["success"] is True, answer
    assert differences(before, manifest(target / str(data).lstrip("/"))) == []


def test_the_way_is_chosen_and_checked(house: House, tmp_path: Path) -> None:
    api = house.api
    policy = api.policy("chosen", api.local("chosen", tmp_path / "nas"), fan_out="copy")

    changed = api.patch(f"/backup/policies/{policy['id']}", {"fan_out": "parallel"})

    assert (policy["fan_out"], changed["fan_out"]) == ("copy", "parallel")
    with pytest.raises(AssertionError, match="fan_out: Invalid enum value"):
        api.patch(f"/backup/policies/{policy['id']}", {"fan_out": "sideways"})
