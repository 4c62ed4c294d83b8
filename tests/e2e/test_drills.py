"""Drills in a whole house: by themselves at their time, and asked for by API and command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.house import House, wait_until
from support.trees import make_tree

pytestmark = pytest.mark.e2e


@pytest.fixture
def house(make_house: Callable[..., House], tmp_path: Path) -> House:
    """With an app that is backed up to two places."""
    house = make_house()
    api = house.api
    places = [api.local(name, tmp_path / name) for name in ("nas", "usb")]
    tie = api.default_configuration(api.app("docs", make_tree(tmp_path / "docs")))
    policy = api.policy("both", *places)
    tie = api.patch(f"/backup/configurations/{tie['id']}", {"policy_id": policy["id"]})
    assert api.back_up(tie)["status"] == "success"
    return house


def tie_of(house: House) -> Any:
    (tie,) = house.api.get("/backup/configurations")["configurations"]
    return tie


def test_at_its_time_it_is_proved_and_the_proof_is_seen_everywhere(
    house: House, tmp_path: Path
) -> None:
    api, tie = house.api, tie_of(house)
    assert tie["last_proof"] is None
    (tmp_path / "scratch").mkdir()
    drill = {"schedule": "* * * * *", "scratch_path": str(tmp_path / "scratch")}
    api.patch(f"/backup/configurations/{tie['id']}", {"drill": drill})

    def proof() -> Any:
        return tie_of(house)["last_proof"]

    found = wait_until(proof, seconds=120, what="a drill has succeeded")

    run = api.run(found["run_id"])
    assert (run["operation"], run["trigger"], run["status"]) == ("drill", "schedule", "success")
    assert run["result"] == found["result"]
    assert found["result"]["is_whole"]
    assert found["result"]["files"] > 10
    (app,) = api.get("/apps")["apps"]
    assert app["last_proved_restorable_at"] == found["at"]
    (entry,) = api.get("/coverage")["entries"]
    assert entry["last_proved_restorable_at"] == found["at"]
    assert api.get("/backup/runs", operation="drill")["runs"]
    assert list((tmp_path / "scratch").iterdir()) == []


def test_it_is_asked_for_and_what_cannot_be_restored_is_told(house: House, tmp_path: Path) -> None:
    tie = tie_of(house)
    never = house.command("drills")
    assert (never.returncode, "never" in never.stdout) == (1, True)

    proved = house.command("drill", "docs")
    told = house.command("drills")

    assert proved.returncode == 0, proved.stdout + proved.stderr
    assert "all of it" in proved.stdout
    assert (told.returncode, "compare, all of it" in told.stdout) == (0, True)

    # The other place is drilled next, and something there cannot be read.
    for pack in (path for name in ("nas", "usb") for path in (tmp_path / name).rglob("data/*/*")):
        pack.chmod(0o600)
        pack.write_bytes(b"\0" * pack.stat().st_size)
    lost = house.command("drill", "docs")
    assert lost.returncode == 1
    assert "restic failed" in lost.stdout
    newest = house.api.get("/backup/runs", operation="drill")["runs"][0]
    first = house.api.get("/backup/runs", operation="drill")["runs"][1]
    assert newest["destination_ids"] != first["destination_ids"]
    assert tie_of(house)["last_proof"]["run_id"] == first["id"]
    assert not list(tmp_path.rglob(".holdfast-drill-*"))

    body = {"drill": {"schedule": "never"}}
    answer = house.api.http.patch(f"/backup/configurations/{tie['id']}", json=body)
    assert (answer.status_code, "drill.schedule" in answer.text) == (400, True)
    answer = house.api.http.post(f"/backup/configurations/{tie['id']}/drill", json={"x": 1})
    assert answer.status_code in (400, 422)
