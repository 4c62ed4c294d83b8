"""A container is started, and nobody tells Holdfast: it is found, backed up, and comes back."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.dockerd import Dockerd, missing_docker
from support.house import House, wait_until

pytestmark = pytest.mark.e2e


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Dockerd]:
    missing = missing_docker()
    if missing:
        pytest.skip(f"a Docker engine needs {', '.join(missing)}")
    engine = Dockerd(tmp_path / "docker")
    yield engine.start()
    engine.stop()


def test_a_container_nobody_told_of_is_backed_up_and_comes_back(
    engine: Dockerd, make_house: Callable[..., House], tmp_path: Path
) -> None:
    write = "echo precious >/data/file; while :; do sleep 0.1; done"
    engine.started("notes", "-v", "notes:/data", command=write)
    house = make_house(HOLDFAST_DISCOVER_SECONDS="1", DOCKER_HOST=f"unix://{engine.run}/sock")
    api = house.api
    nas = api.local("nas", tmp_path / "nas")

    def found() -> Any:
        apps = api.get("/apps")["apps"]
        return apps[0] if apps else None

    app = wait_until(found, what="the container is an app")
    assert app["name"] == "notes"
    refused = house.command("coverage")
    assert refused.returncode == 1, refused.stdout
    assert "1 of 1 not protected" in refused.stdout

    tie = api.default_configuration(app)
    policy = api.get(f"/backup/policies/{tie['policy_id']}")
    assert [each["id"] for each in policy["destinations"]] == [nas["id"]]
    assert api.back_up(tie)["status"] == "success"
    (entry,) = api.get("/coverage")["entries"]
    assert (entry["protected"], entry["name"]) == (True, "notes")
    assert house.command("coverage").returncode == 0

    engine.remove_all()
    wait_until(lambda: found()["vanished_at"], what="the app is marked as gone")
    engine.docker("volume", "rm", "notes")
    (snapshot,) = api.snapshots(app_id=app["id"])
    api.restore(snapshot, tmp_path / "back")
    restored = tmp_path / "back" / Path(entry["path"]).relative_to("/") / "file"
    assert restored.read_text() == "precious\n"

    looked = house.command("discover")
    assert looked.returncode == 0, looked.stderr
    assert "docker; 0 apps" in looked.stdout
    listed = api.get("/backup/runs", operation="discover")["runs"]
    assert len([each for each in listed if each["trigger"] == "schedule"]) <= 2


def test_a_new_project_is_protected_in_seconds_and_its_compose_file_comes_back_as_it_was(
    engine: Dockerd, make_house: Callable[..., House], tmp_path: Path
) -> None:
    folder = tmp_path / "shop"
    (folder / "site").mkdir(parents=True)
    compose = folder / "compose.yml"
    compose.write_bytes(b"name: shop\r\nservices:  # byte for byte \xc3\xa4\r\n  web: {}\r\n")
    before = compose.read_bytes()
    house = make_house(HOLDFAST_DISCOVER_SECONDS="3600", DOCKER_HOST=f"unix://{engine.run}/sock")
    api = house.api
    api.local("nas", tmp_path / "nas")
    # The first look is at once; whoever took it listens from then on.
    ended = api.post(f"/devices/{api.device()}/discover", wait="true")
    assert ended["status"] == "success"

    labels = {
        "com.docker.compose.project": "shop",
        "com.docker.compose.service": "web",
        "com.docker.compose.project.working_dir": str(folder),
        "com.docker.compose.project.config_files": str(compose),
    }
    told = [word for each in labels.items() for word in ("--label", "=".join(each))]
    options = ("-v", f"{folder}/site:/site", "-e", "SECRET=hunter2-correct-horse")
    engine.started("shop-web-1", *told, *options)
    (app,) = wait_until(lambda: api.get("/apps")["apps"], seconds=60, what="it is an app")

    tie = api.default_configuration(app)
    assert api.back_up(tie)["status"] == "success"
    compose.unlink()
    (snapshot,) = api.snapshots(app_id=app["id"])
    api.restore(snapshot, Path("/"), [str(compose)])
    assert compose.read_bytes() == before
    assert "hunter2-correct-horse" not in house.process.log.read_text(errors="replace")
