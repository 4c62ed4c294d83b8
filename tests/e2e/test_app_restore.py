"""An app that was found is back by one request, here and on another device."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.dockerd import Dockerd
from support.house import House, wait_until
from support.sshd import Sshd

pytestmark = [pytest.mark.e2e, pytest.mark.restic, pytest.mark.docker, pytest.mark.sftp]


class Shop:
    """A project of two containers that write into a volume, and its compose file."""

    def __init__(self, engine: Dockerd, root: Path) -> None:
        self.engine = engine
        engine.docker("volume", "rm", "-f", "shop_data")
        self.folder = root / "shop"
        self.folder.mkdir()
        self.compose = self.folder / "compose.yml"
        self.compose.write_text("name: shop\nservices: {db: {}, web: {}}\n")
        for service, others in (("db", ""), ("web", "db:service_started:false")):
            labels = {
                "com.docker.compose.project": "shop",
                "com.docker.compose.service": service,
                "com.docker.compose.depends_on": others,
                "com.docker.compose.project.working_dir": str(self.folder),
                "com.docker.compose.project.config_files": str(self.compose),
            }
            told = [word for each in labels.items() for word in ("--label", "=".join(each))]
            write = (
                f"trap 'exit 0' TERM; while :; do date +%s.%N >>/data/{service}; sleep 0.1; done"
            )
            engine.started(f"shop-{service}-1", *told, "-v", "shop_data:/data", command=write)
        self.volume = self._mountpoint()

    def _mountpoint(self) -> Path:
        words = ("volume", "inspect", "--format", "{{.Mountpoint}}", "shop_data")
        return Path(self.engine.docker(*words).stdout.strip())

    def states(self) -> set[str]:
        return {self.engine.state(f"shop-{each}-1") for each in ("db", "web")}


@pytest.fixture
def shop(engine: Dockerd, tmp_path: Path) -> Shop:
    return Shop(engine, tmp_path)


@pytest.fixture
def house(engine: Dockerd, make_house: Callable[..., House]) -> House:
    return make_house(
        DOCKER_HOST=f"unix://{engine.run}/sock", PATH=f"{engine.bin}:{os.environ['PATH']}"
    )


def backed_up(house: House, tmp_path: Path) -> tuple[Any, Any]:
    """The app that was found, and its snapshot."""
    api = house.api
    api.local("nas", tmp_path / "nas")
    assert api.post(f"/devices/{api.device()}/discover", wait="true")["status"] == "success"
    (app,) = wait_until(lambda: api.get("/apps")["apps"], what="the project is an app")
    run = api.back_up(api.default_configuration(app))
    assert run["status"] == "success", run
    (snapshot,) = api.snapshots(app_id=app["id"])
    return app, snapshot


def test_one_request_brings_an_app_back_and_what_was_there_lies_beside(
    house: House, shop: Shop, tmp_path: Path
) -> None:
    (shop.volume / "precious").write_text("kept")
    app, snapshot = backed_up(house, tmp_path)
    compose = shop.compose.read_bytes()
    (shop.volume / "precious").write_text("spoilt")
    shop.compose.unlink()

    looked = house.command("restore-app", "shop", "--dry-run")
    assert looked.returncode == 0, looked.stdout + looked.stderr
    assert str(shop.volume) in looked.stdout
    assert not shop.compose.exists()

    body = {"snapshot_id": snapshot["id"]}
    run = house.api.post(f"/apps/{app['id']}/restore", body, wait="true")

    assert run["status"] == "success"
    assert (shop.volume / "precious").read_text() == "kept"
    assert shop.compose.read_bytes() == compose
    assert shop.states() == {"running"}
    assert run["result"]["containers"] == ["shop-db-1", "shop-web-1"]
    (previous,) = [each["previous"] for each in run["result"]["places"] if each["volume"]]
    assert (Path(previous) / "precious").read_text() == "spoilt"


def test_an_app_of_which_nothing_is_left_is_back_by_one_request(
    house: House, shop: Shop, engine: Dockerd, tmp_path: Path
) -> None:
    (shop.volume / "precious").write_text("kept")
    app, snapshot = backed_up(house, tmp_path)
    compose = shop.compose.read_bytes()
    engine.remove_all()
    engine.docker("volume", "rm", "shop_data")
    shutil.rmtree(shop.folder)

    body = {"snapshot_id": snapshot["id"]}
    run = house.api.post(f"/apps/{app['id']}/restore", body, wait="true")

    assert run["status"] == "success"
    assert shop.states() == {"running"}
    assert (shop.volume / "precious").read_text() == "kept"
    assert shop.compose.read_bytes() == compose


def test_the_command_asks_first(house: House, shop: Shop, tmp_path: Path) -> None:
    backed_up(house, tmp_path)
    (shop.volume / "new").write_text("later")

    refused = house.command("restore-app", "shop")  # nobody answers
    assert refused.returncode == 1
    assert (shop.volume / "new").exists()

    done = house.command("restore-app", "shop", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (shop.volume / "new").exists()
    assert ".holdfast-before-" in done.stdout


def test_what_was_before_a_restore_is_removed_when_asked_for(
    house: House, shop: Shop, tmp_path: Path
) -> None:
    app, snapshot = backed_up(house, tmp_path)
    (shop.volume / "new").write_bytes(os.urandom(3_000_000))
    body = {"snapshot_id": snapshot["id"]}
    restore = house.api.post(f"/apps/{app['id']}/restore", body, wait="true")
    (previous,) = [each["previous"] for each in restore["result"]["places"] if each["volume"]]

    refused = house.command("discard-previous", "shop", restore["id"])  # nobody answers
    assert refused.returncode == 1
    assert previous in refused.stdout
    assert (Path(previous) / "new").exists()

    done = house.command("discard-previous", "shop", restore["id"], "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert previous in done.stdout
    assert "MiB freed" in done.stdout
    assert not Path(previous).exists()
    assert shop.states() == {"running"}

    run = house.api.post(f"/apps/{app['id']}/restores/{restore['id']}/discard", wait="true")
    assert (run["status"], run["result"]["freed_bytes"]) == ("success", 0)


def test_all_of_holdfast_is_killed_in_mid_restore_and_the_app_comes_back(
    house: House, shop: Shop, tmp_path: Path
) -> None:
    for number in range(20):
        (shop.volume / f"big{number}").write_bytes(os.urandom(20_000_000))
    app, snapshot = backed_up(house, tmp_path)
    for number in range(20):
        (shop.volume / f"big{number}").unlink()
    (shop.volume / "new").write_text("later")

    accepted = house.api.post(f"/apps/{app['id']}/restore", {"snapshot_id": snapshot["id"]})
    wait_until(lambda: list(shop.volume.glob("big*")), what="files are being brought back")
    house.kill()
    house.start()

    run = house.api.outcome(accepted["run_id"])
    assert run["status"] == "success", run
    assert run["claim"] > 1
    assert len(list(shop.volume.glob("big*"))) == 20
    (previous,) = [each["previous"] for each in run["result"]["places"] if each["volume"]]
    assert (Path(previous) / "new").read_text() == "later"
    assert not list(Path(previous).glob("big*"))
    assert shop.states() == {"running"}


def test_an_app_goes_to_another_device_with_an_engine_of_its_own(
    house: House, shop: Shop, own_sshd: Sshd, tmp_path: Path
) -> None:
    (shop.volume / "precious").write_text("kept")
    app, snapshot = backed_up(house, tmp_path)
    other = Dockerd(tmp_path / "other").start()
    try:
        (tmp_path / "pi").mkdir()
        own_sshd.environment = (
            f"HOME={tmp_path / 'pi'}",
            f"PATH={other.bin}:{os.environ['PATH']}",
            f"DOCKER_HOST=unix://{other.run}/sock",
        )
        device = house.api.ssh_device("pi", own_sshd.start())
        body = {"snapshot_id": snapshot["id"], "target_device_id": device["id"]}

        # Its machine is this one: what is bound by its path is there already.
        asked = house.api.post(f"/apps/{app['id']}/restore", {**body, "dry_run": True}, wait="true")
        assert any(str(shop.compose) in each for each in asked["result"]["problems"])
        shop.compose.unlink()
        shop.folder.rmdir()
        run = house.api.post(f"/apps/{app['id']}/restore", body, wait="true")

        assert run["status"] == "success"
        for each in ("db", "web"):
            assert other.state(f"shop-{each}-1") == "running"
        (place,) = [each for each in run["result"]["places"] if each["volume"]]
        assert place["path"].startswith(str(other.data))
        assert (Path(place["path"]) / "precious").read_text() == "kept"
        assert shop.compose.exists()
        assert shop.states() == {"running"}
        looked = house.api.post(f"/devices/{device['id']}/discover", wait="true")
        assert looked["status"] == "success"
        homes = {app["device_id"], device["id"]}
        wait_until(
            lambda: {each["device_id"] for each in house.api.get("/apps")["apps"]} == homes,
            what="it is an app of the other device, too",
        )
    finally:
        other.stop()
