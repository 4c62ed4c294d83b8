"""What a real Docker engine runs is found, on this machine and through SSH."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from holdfast.devices.engine import Engine, open_here
from holdfast.devices.local import LocalRunner
from holdfast.events.discovery import DeviceDiscovered, EngineChanged, FoundApp, LeftOut
from holdfast.events.run import DiscoverResult, RunStatus
from holdfast.events.work import DestinationSecrets, DeviceAddress, DiscoverRequested
from holdfast.executor.watches import EngineWatches
from holdfast.kernel.clock import utc_now
from holdfast.kernel.ids import new_id
from support.dockerd import Dockerd, missing_docker
from support.executor import Bench, until
from support.podman import Podman
from support.sshd import Sshd

pytestmark = [pytest.mark.restic, pytest.mark.sftp]

PROJECT = "com.docker.compose.project"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dockerd]:
    missing = missing_docker()
    if missing:
        pytest.skip(f"a Docker engine needs {', '.join(missing)}")
    engine = Dockerd(tmp_path_factory.mktemp("docker"))
    yield engine.start()
    engine.stop()


@pytest.fixture
def shop(engine: Dockerd, tmp_path: Path) -> Iterator[Path]:
    """A project of two containers, as compose labels them, and one container of none."""
    folder = tmp_path / "shop"
    (folder / "media").mkdir(parents=True)
    (folder / "compose.yml").write_text("name: shop\n")
    (folder / ".env").write_text("PASSWORD=hunter2\n")

    def service(name: str, depends_on: str, *options: str) -> None:
        labels = {
            PROJECT: "shop",
            "com.docker.compose.service": name,
            "com.docker.compose.depends_on": depends_on,
            "com.docker.compose.project.working_dir": str(folder),
            "com.docker.compose.project.config_files": f"{folder}/compose.yml,{folder}/gone.yml",
        }
        told = [word for each in labels.items() for word in ("--label", "=".join(each))]
        engine.started(f"shop-{name}-1", *told, *options)

    service("app", "db:service_started:false", "-v", f"{folder}/media:/media:ro")
    service("db", "", "-v", "shop_db:/var/lib/db", "-e", "PASSWORD=hunter2")
    engine.started("lone", "-v", "/proc:/host/proc:ro", "-v", f"{folder}:/srv", "--label", "a=b")
    yield folder
    engine.remove_all()
    engine.docker("volume", "rm", "shop_db")


async def discovered(
    bench: Bench,
    device: DeviceAddress | None,
    *,
    engine: str = "docker",
    local_id: UUID | None = None,
) -> tuple[FoundApp, ...]:
    work = DiscoverRequested(
        event_id=new_id(), occurred_at=utc_now(), run_id=new_id(), site="main",
        device_id=device.device_id if device else local_id or new_id(), device=device,
    )  # fmt: skip
    run = await bench.outcome(work)
    assert run.status is RunStatus.SUCCESS, run.failure
    (event,) = [each for each in bench.said(DeviceDiscovered) if each.run_id == work.run_id]
    assert event.device_id == work.device_id
    assert run.result == DiscoverResult(engines=event.engines, apps=len(event.apps))
    assert event.engines == (engine,)
    return event.apps


def check(engine: Dockerd, folder: Path, apps: tuple[FoundApp, ...]) -> None:
    lone, shop = apps
    mountpoint = engine.docker("volume", "inspect", "-f", "{{.Mountpoint}}", "shop_db").stdout
    assert (shop.key, shop.name) == ("docker/project/shop", "shop")
    assert [each.name for each in shop.services] == ["db", "app"]
    assert shop.data_paths() == (mountpoint.strip(), str(folder / "media"))
    assert shop.compose_files == (str(folder / "compose.yml"),), "only what is there"
    assert shop.env_files == (str(folder / ".env"),)
    assert "PASSWORD" in shop.services[0].variables
    assert "hunter2" not in repr(apps)
    assert lone.data_paths() == (str(folder),)
    assert [each.left_out for each in lone.data] != [None, None]


async def test_the_engine_of_this_machine(engine: Dockerd, shop: Path, tmp_path: Path) -> None:
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    here = {**environ, "DOCKER_HOST": f"unix://{engine.run}/sock"}
    bench = Bench(tmp_path / "holdfast" / "cache", runner=LocalRunner(here))
    check(engine, shop, await discovered(bench, None))


async def test_the_engine_of_a_device_behind_ssh(
    bench: Bench, engine: Dockerd, shop: Path, tmp_path: Path
) -> None:
    sshd = Sshd(tmp_path / "sshd")
    sshd.environment = (f"DOCKER_HOST=unix://{engine.run}/sock",)
    sshd.start()
    try:
        device = DeviceAddress(
            device_id=new_id(), name="pi", host="127.0.0.1", port=sshd.port, user=sshd.user
        )
        secrets = DestinationSecrets(repo_password="", sftp_private_key=sshd.private_key)
        bench.logins[device.device_id] = secrets
        check(engine, shop, await discovered(bench, device))
    finally:
        sshd.stop()


async def test_an_engine_at_an_unusual_socket_of_a_device(
    bench: Bench, engine: Dockerd, shop: Path, sshd: Sshd
) -> None:
    """Which the device's own environment does not name."""
    device = DeviceAddress(
        device_id=new_id(), name="pi", host="127.0.0.1", port=sshd.port, user=sshd.user,
        engine_socket=f"{engine.run}/sock",
    )  # fmt: skip
    bench.logins[device.device_id] = DestinationSecrets(
        repo_password="", sftp_private_key=sshd.private_key
    )

    check(engine, shop, await discovered(bench, device))


async def test_volumes_that_no_container_uses_are_told(
    engine: Dockerd, shop: Path, tmp_path: Path
) -> None:
    """Not those of a project that is there, whoever uses them."""
    made = {
        "left_over": (),
        "shop_unused": ("--label", f"{PROJECT}=shop"),
        "memory": ("--opt", "type=tmpfs", "--opt", "device=tmpfs"),
        "off": ("--label", "holdfast.enable=false"),
    }
    for name, options in made.items():
        engine.docker("volume", "create", *options, name)
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    here = {**environ, "DOCKER_HOST": f"unix://{engine.run}/sock"}
    bench = Bench(tmp_path / "holdfast" / "cache", runner=LocalRunner(here))
    try:
        await discovered(bench, None)
    finally:
        engine.docker("volume", "rm", *made)

    (event,) = bench.said(DeviceDiscovered)
    assert [(each.name, each.left_out) for each in event.loose] == [
        ("left_over", None),
        ("memory", LeftOut.NO_FILES),
        ("off", LeftOut.SWITCHED_OFF),
    ]
    assert event.loose[0].path.endswith("/left_over/_data")


async def test_a_machine_without_an_engine_is_no_failure(tmp_path: Path) -> None:
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    if Path("/var/run/docker.sock").exists():
        pytest.skip("this machine has an engine of its own")
    bench = Bench(tmp_path / "cache", runner=LocalRunner(environ))
    work = DiscoverRequested(
        event_id=new_id(), occurred_at=utc_now(), run_id=new_id(), site="main", device_id=new_id()
    )
    run = await bench.outcome(work)
    assert run.result == DiscoverResult(engines=(), apps=0)


@pytest.mark.parametrize("over_ssh", [False, True])
async def test_a_change_is_heard_in_seconds_and_compose_is_told_of_once(
    engine: Dockerd, shop: Path, tmp_path: Path, own_sshd: Sshd, *, over_ssh: bool
) -> None:
    here = {**os.environ, "DOCKER_HOST": f"unix://{engine.run}/sock"}
    runner = LocalRunner(here)
    bench = Bench(tmp_path / "holdfast" / "cache", runner=runner)
    device = None
    if over_ssh:
        own_sshd.environment = (f"DOCKER_HOST=unix://{engine.run}/sock",)
        own_sshd.start()
        device = DeviceAddress(
            device_id=new_id(), name="pi", host="127.0.0.1", port=own_sshd.port, user=own_sshd.user
        )
        bench.logins[device.device_id] = DestinationSecrets(
            repo_password="", sftp_private_key=own_sshd.private_key
        )
    watches = EngineWatches(bench.bus.publish, utc_now, runner)
    bench.deps = replace(bench.deps, watches=watches)
    stop, local_id = asyncio.Event(), new_id()
    running = asyncio.create_task(watches.run(stop))
    try:
        await discovered(bench, device, local_id=local_id)
        await until(lambda: len(bench.said(EngineChanged)) == 1)  # it listens from now on

        for name in ("new-1", "new-2"):
            engine.docker("create", "--network", "none", "--name", name, "lab:1", "sh")

        await until(lambda: len(bench.said(EngineChanged)) == 2)
        assert len({each.device_id for each in bench.said(EngineChanged)}) == 1
        for _ in range(2):
            await discovered(bench, device, local_id=local_id)
        assert len(bench.said(EngineChanged)) == 2
    finally:
        stop.set()
        await running


@pytest.mark.podman
async def test_podman_is_asked_and_heard_in_the_same_words(podman: Podman, tmp_path: Path) -> None:
    bench = Bench(tmp_path / "holdfast" / "cache")
    (tmp_path / "site").mkdir()
    client = Engine(open_here, f"{podman.run}/sock")
    options = ("--network", "none", "-v", f"{tmp_path}/site:/site", "-v", "data:/data")
    try:
        async with client.changes() as changes:
            podman.docker("create", "--name", "notes", *options, "-e", "A=b", "lab:1", "sh")
            await asyncio.wait_for(anext(changes), 30)
        bench.deps = replace(
            bench.deps,
            runner=LocalRunner({**os.environ, "DOCKER_HOST": f"unix://{podman.run}/sock"}),
        )
        (app,) = await discovered(bench, None, engine="podman")
        mountpoint = podman.docker("volume", "inspect", "-f", "{{.Mountpoint}}", "data").stdout
    finally:
        podman.remove_all()
        podman.docker("volume", "rm", "-f", "data")

    assert (app.key, app.engine) == ("podman/container/notes", "podman")
    assert set(app.data_paths()) == {str(tmp_path / "site"), mountpoint.strip()}
    assert "A" in app.services[0].variables
