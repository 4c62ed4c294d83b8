"""An app that is stopped for its backup comes back though all of Holdfast is killed meanwhile."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from support.dockerd import Dockerd
from support.house import House, wait_until
from support.sshd import Sshd

pytestmark = [pytest.mark.e2e, pytest.mark.restic, pytest.mark.docker, pytest.mark.sftp]


@pytest.fixture
def path(engine: Dockerd) -> str:
    """With a ``docker`` that is the tests' own engine."""
    return f"{engine.bin}:{os.environ['PATH']}"


@pytest.fixture
def files(engine: Dockerd, tmp_path: Path) -> Path:
    """Of an app of two containers: more than is backed up in a moment."""
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(10):
        (folder / str(number)).write_bytes(os.urandom(40_000_000))
    for name in ("db", "web"):
        engine.started(name)
    return folder


def states(engine: Dockerd) -> set[str]:
    return {engine.state("db"), engine.state("web")}


@pytest.mark.parametrize("where", ["here", "device"])
def test_the_app_comes_back_though_all_of_holdfast_is_killed(
    make_house: Callable[..., House],
    engine: Dockerd,
    path: str,
    files: Path,
    own_sshd: Sshd,
    tmp_path: Path,
    where: str,
) -> None:
    house = make_house(HOLDFAST_APP_LEASE_SECONDS="5", PATH=path)
    api = house.api
    nas = api.local("nas", tmp_path / "nas")
    (policy,) = api.get("/backup/policies")["policies"]
    api.patch(f"/backup/policies/{policy['id']}", {"destination_ids": [nas["id"]]})
    device = api.device()
    if where == "device":
        (tmp_path / "pi").mkdir()
        own_sshd.environment = (f"HOME={tmp_path / 'pi'}", f"PATH={path}")
        device = api.ssh_device("pi", own_sshd.start())["id"]
    app = api.post("/apps", {"name": "photos", "device_id": device, "paths": [str(files)]})
    configuration = api.default_configuration(app)
    api.patch(
        f"/backup/configurations/{configuration['id']}",
        {"consistency": {"containers": ["db", "web"], "quiet": "stop"}},
    )

    api.start(configuration)
    wait_until(lambda: states(engine) == {"exited"}, what="the app is stopped")
    house.kill()
    if where == "device":
        own_sshd.stop()

    # Nobody is there any more who could start it.
    wait_until(lambda: states(engine) == {"running"}, seconds=30, what="the app is back")


def test_a_backup_by_the_api_stops_the_app_and_tells_what_was_done(
    make_house: Callable[..., House], engine: Dockerd, path: str, tmp_path: Path
) -> None:
    for name in ("db", "web"):
        engine.started(name)
    data = tmp_path / "data"
    data.mkdir()
    (data / "file").write_text("content")
    api = make_house(PATH=path).api
    nas = api.local("nas", tmp_path / "nas")
    app = api.app("notes", data)
    tie = api.configuration(
        app,
        api.policy("all", nas),
        consistency={
            "containers": ["db", "web"],
            "quiet": "stop",
            "hooks": [{"when": "before", "kind": "command", "command": "echo ready"}],
        },
    )

    run = api.back_up(tie)

    assert run["status"] == "success", run
    steps = run["result"]["steps"]
    assert [each["name"].split()[0] for each in steps] == ["echo", "stop", "stop", "start", "start"]
    assert steps[0]["output"] == "ready"
    assert states(engine) == {"running"}
