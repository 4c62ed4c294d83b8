"""A project with a database on a device behind SSH: found, dumped while it is written to, lost,
and back with every row by one request, on the same device and on another."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from support.dockerd import Dockerd
from support.house import House, wait_until
from support.postgres_image import RUN, import_postgres
from support.sshd import Sshd

pytestmark = [pytest.mark.e2e, pytest.mark.restic, pytest.mark.docker, pytest.mark.sftp]

PASSWORD = "s3cret w'ord"


class Machine:
    """A device: an engine, and an sshd that leads to it."""

    def __init__(self, root: Path, engine: Dockerd) -> None:
        self.engine = engine
        self.sshd = Sshd(root / "sshd")
        (root / "home").mkdir(parents=True)
        self.sshd.environment = (
            f"HOME={root / 'home'}",
            f"PATH={engine.bin}:{os.environ['PATH']}",
            f"DOCKER_HOST=unix://{engine.run}/sock",
        )
        self.sshd.start()

    def query(self, text: str) -> subprocess.CompletedProcess[str]:
        return self.engine.docker(
            *("exec", "-e", f"PGPASSWORD={PASSWORD}", "shop-db-1"),
            *("psql", "-h", "127.0.0.1", "-U", "shop", "-d", "shop", "-Atc", text),
            check=False,
        )

    def rows(self) -> int:
        return int(self.query("select count(*) from orders").stdout)

    def volume(self, name: str) -> Path:
        words = ("volume", "inspect", "--format", "{{.Mountpoint}}", name)
        return Path(self.engine.docker(*words).stdout.strip())


@pytest.fixture
def nas(engine: Dockerd, postgres_image: str, tmp_path: Path) -> Iterator[Machine]:
    assert postgres_image
    machine = Machine(tmp_path / "nas machine".replace(" ", "-"), engine)
    yield machine
    machine.sshd.stop()
    engine.remove_all()
    for name in ("shop_db", "shop_files"):
        engine.docker("volume", "rm", "-f", name)


@pytest.fixture
def shop(nas: Machine, tmp_path: Path) -> Path:
    """The project's folder: a database, and a container that writes files."""
    folder = tmp_path / "shop"
    folder.mkdir()
    compose = folder / "compose.yml"
    compose.write_text("name: shop\nservices: {db: {}, web: {}}\n# as it was\n")

    def labels(service: str, needs: str = "") -> list[str]:
        told = {
            "com.docker.compose.project": "shop",
            "com.docker.compose.service": service,
            "com.docker.compose.depends_on": needs,
            "com.docker.compose.project.working_dir": str(folder),
            "com.docker.compose.project.config_files": str(compose),
        }
        return [word for each in told.items() for word in ("--label", "=".join(each))]

    nas.engine.started(
        "shop-db-1",
        *labels("db"),
        *("--user", "999"),
        *("-v", "shop_db:/var/lib/postgresql/data"),
        *("-e", f"POSTGRES_PASSWORD={PASSWORD}", "-e", "POSTGRES_USER=shop"),
        image="postgres:15",
        command=RUN,
    )
    write = "trap 'exit 0' TERM; while :; do date +%s.%N >>/data/log; sleep 0.1; done"
    nas.engine.started(
        "shop-web-1", *labels("web", "db:service_started:false"), "-v", "shop_files:/data",
        command=write,
    )  # fmt: skip
    admin = ("exec", "-e", f"PGPASSWORD={PASSWORD}", "shop-db-1", "psql", "-U", "shop", "-d")

    def made() -> bool:
        done = nas.engine.docker(*admin, "postgres", "-c", "create database shop", check=False)
        return done.returncode == 0

    wait_until(made, what="the database answers")
    assert nas.query("create table orders (id serial primary key, what text)").returncode == 0
    return folder


class Writer:
    """Writes rows all the time; ``rows`` were committed by now."""

    def __init__(self, machine: Machine) -> None:
        self.rows = 0
        self._machine = machine
        self._stop = Event()
        self._thread = Thread(target=self._write)
        self._thread.start()

    def _write(self) -> None:
        while not self._stop.is_set():
            done = self._machine.query("insert into orders (what) values ('a cat')")
            self.rows += done.returncode == 0

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture
def writer(nas: Machine, shop: Path) -> Iterator[Writer]:
    assert shop
    writer = Writer(nas)
    yield writer
    writer.stop()


def test_every_row_that_was_there_is_back_on_the_same_device_and_on_another(
    make_house: Callable[..., House],
    nas: Machine,
    shop: Path,
    writer: Writer,
    tmp_path: Path,
) -> None:
    house = make_house(HOLDFAST_DISCOVER_SECONDS="1")
    api = house.api
    api.local("disk", tmp_path / "disk")
    device = api.ssh_device("nas", nas.sshd)

    def found() -> Any:
        apps = [each for each in api.get("/apps")["apps"] if each["name"] == "shop"]
        return apps[0] if apps else None

    app = wait_until(found, what="the project is an app")
    assert app["device_id"] == device["id"]
    wait_until(lambda: writer.rows > 20, what="something was written")
    committed = writer.rows
    run = api.back_up(api.default_configuration(app))
    assert run["status"] == "success", run
    (snapshot,) = api.snapshots(app_id=app["id"])
    assert writer.rows > committed
    writer.stop()
    compose = (shop / "compose.yml").read_bytes()

    nas.engine.docker("rm", "-f", "shop-db-1", "shop-web-1")
    nas.engine.docker("volume", "rm", "shop_db", "shop_files")
    shutil.rmtree(shop)
    body = {"snapshot_id": snapshot["id"]}
    back = api.post(f"/apps/{app['id']}/restore", body, wait="true")

    assert back["status"] == "success", back
    assert back["result"]["databases"] == ["shop-db-1"]
    assert nas.rows() >= committed
    assert (shop / "compose.yml").read_bytes() == compose
    assert (nas.volume("shop_files") / "log").read_text().count("\n") > 1
    # It takes new ones: the counter came back as well.
    assert nas.query("insert into orders (what) values ('a dog')").returncode == 0

    other_engine = Dockerd(tmp_path / "other engine".replace(" ", "-")).start()
    other = Machine(tmp_path / "pi-machine", other_engine)
    try:
        import_postgres(other_engine, tmp_path / "pg-root")
        shutil.rmtree(shop)  # its machine is this one: what is bound by its path is there already
        pi = api.ssh_device("pi", other.sshd)
        run = api.post(
            f"/apps/{app['id']}/restore", {**body, "target_device_id": pi["id"]}, wait="true"
        )
        assert run["status"] == "success", run
        assert other.rows() >= committed
        assert (shop / "compose.yml").read_bytes() == compose
        assert {other_engine.state(f"shop-{each}-1") for each in ("db", "web")} == {"running"}
    finally:
        other.sshd.stop()
        other_engine.stop()


def test_a_dump_that_is_not_taken_leaves_all_as_it_was(
    make_house: Callable[..., House], nas: Machine, shop: Path, tmp_path: Path
) -> None:
    """The role that owns the tables is not made: what is loaded would not be what it was."""
    house = make_house()
    api = house.api
    api.local("disk", tmp_path / "disk")
    device = api.ssh_device("nas", nas.sshd)
    assert nas.query("insert into orders (what) values ('a cat')").returncode == 0
    assert api.post(f"/devices/{device['id']}/discover", wait="true")["status"] == "success"
    (app,) = wait_until(lambda: api.get("/apps")["apps"], what="the project is an app")
    assert api.back_up(api.default_configuration(app))["status"] == "success"
    (snapshot,) = api.snapshots(app_id=app["id"])
    assert nas.query("insert into orders (what) values ('a dog')").returncode == 0
    # In this database's place comes one that takes nothing.
    broken = shop / "psql"
    broken.write_text(
        "#!/bin/sh\ncase \"$*\" in *' -c '*) exit 0 ;; esac\n"
        "cat >/dev/null\necho 'ERROR:  no room' >&2\n"
    )
    broken.chmod(0o755)
    nas.engine.docker("exec", "--user", "0", "shop-db-1", "rm", "/bin/psql")
    nas.engine.docker("cp", broken, "shop-db-1:/bin/psql")

    body = {"snapshot_id": snapshot["id"]}
    answer = api.http.post(f"/apps/{app['id']}/restore", json=body, params={"wait": "true"})

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "dump_not_taken")
    assert "The previous state is back" in problem["detail"]
    assert "no room" in problem["cause"]
    for each in ("db", "web"):
        assert nas.engine.state(f"shop-{each}-1") == "running"
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    nas.engine.docker("cp", "-L", programs / "psql", "shop-db-1:/bin/psql")
    wait_until(lambda: nas.rows() == 2, what="its rows are there")
