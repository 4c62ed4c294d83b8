"""A drill in mode ``boot``: the app comes up on restored data, shut off, is asked, and is gone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from holdfast.events.consistency import Consistency
from holdfast.events.discovery import DataKind, FoundApp, FoundData, FoundService
from holdfast.events.drilling import DrillRequested
from holdfast.events.drills import DrillMode, DrillProbe, DrillResult, ProbeKind
from holdfast.events.run import RunCompleted, RunStatus
from holdfast.events.snapshot import SnapshotCompleted
from holdfast.events.work import BackupRequested
from holdfast.executor.discovery import Container, Look, apps_of
from holdfast.executor.operations import drill as operation
from support.dockerd import Dockerd
from support.executor import Bench, Place, backup_of, until, work_of
from support.postgres_image import RUN

pytestmark = [pytest.mark.restic, pytest.mark.docker]

PASSWORD = "s3cret w'ord"
ROWS = 50


@pytest.fixture
def bench(engine_bench: Bench) -> Bench:
    """With the tests' own engine."""
    return engine_bench


@pytest.fixture
def device(engine_device: dict[str, Any]) -> dict[str, Any]:
    """The field of work that says where the app is."""
    return engine_device


class Shop:
    """A database with rows, a page that asks it, and things that a drill must not take over."""

    def __init__(self, engine: Dockerd, root: Path) -> None:
        self.engine = engine
        self.site = root / "site"
        self.site.mkdir()
        (self.site / "index.html").write_text("hello")
        engine.started(
            "shop-db-1",
            *("--user", "999", "-v", "shop_db:/var/lib/postgresql/data"),
            *("-e", f"POSTGRES_PASSWORD={PASSWORD}", "-e", "POSTGRES_USER=shop"),
            *("-e", "POSTGRES_DB=postgres", "--restart", "unless-stopped"),
            image="postgres:15",
            command=RUN,
        )
        engine.started(
            "shop-web-1",
            *("-v", f"{self.site}:/site", "-v", "shop_cache:/cache", "--cap-add", "NET_RAW"),
            *("-v", f"{engine.run}/sock:/var/run/docker.sock"),
            command="exec httpd -f -p 8080 -h /site",
        )
        self.found = FoundApp(
            key="docker/project/shop",
            engine="docker",
            name="shop",
            services=tuple(
                FoundService(name=name, container=f"shop-{name}-1", image=image, status="running")
                for name, image in (("db", "postgres:15"), ("web", "lab:1"))
            ),
            data=(
                FoundData(
                    kind=DataKind.VOLUME,
                    name="shop_db",
                    path=self.volume("shop_db"),
                    services=("db",),
                ),
                FoundData(kind=DataKind.BIND, path=str(self.site), services=("web",)),
            ),
        )

    def volume(self, name: str) -> str:
        words = ("volume", "inspect", "--format", "{{.Mountpoint}}", name)
        return self.engine.docker(*words).stdout.strip()

    def query(self, text: str) -> str:
        words = ("psql", "-h", "127.0.0.1", "-U", "shop", "-d", "postgres", "-Atc", text)
        asked = self.engine.docker(
            "exec", "-e", f"PGPASSWORD={PASSWORD}", "shop-db-1", *words, check=False
        )
        return asked.stdout.strip()


@pytest.fixture
async def shop(engine: Dockerd, postgres_image: str, tmp_path: Path) -> Any:
    assert postgres_image
    shop = Shop(engine, tmp_path)
    await until(lambda: shop.query("select 1") == "1", seconds=60, what="the database answers")
    shop.query("create table orders (id serial)")
    shop.query(f"insert into orders select from generate_series(1, {ROWS})")
    yield shop
    engine.remove_all()
    engine.docker("volume", "rm", "-f", "shop_db", "shop_cache")


@pytest.fixture
def before(engine: Dockerd, shop: Shop) -> Iterator[None]:
    """All that the engine has is the same after the test."""
    assert shop
    containers, networks, volumes = everything(engine)
    yield
    now = everything(engine)
    assert now[0] == containers
    assert now[1] == networks
    assert now[2] == volumes


def everything(engine: Dockerd) -> Any:
    """Containers with all that they are, networks, and volumes."""
    ids = engine.docker("ps", "-aq", "--no-trunc").stdout.split()
    networks = engine.docker("network", "ls", "-q", "--no-trunc").stdout.split()
    volumes = engine.docker("volume", "ls", "-q").stdout.split()
    told = [
        (
            each["Id"],
            {name: each["State"][name] for name in ("Status", "StartedAt", "FinishedAt")},
            each["RestartCount"],
            sorted((mount["Source"], mount["Destination"]) for mount in each["Mounts"]),
            sorted(each["NetworkSettings"]["Networks"]),
        )
        for each in json.loads(engine.docker("inspect", *ids).stdout)
    ]
    return sorted(told, key=str), sorted(networks), sorted(volumes)


async def backed_up(
    bench: Bench, nas: Place, shop: Shop, device: dict[str, Any]
) -> tuple[BackupRequested, str]:
    names = tuple(each.container for each in shop.found.services)
    work = backup_of(
        [Path(each) for each in shop.found.paths()],
        nas,
        environment_of=names,
        found=shop.found,
        consistency=Consistency(containers=names),
        **device,
    )
    run = await bench.outcome(work)
    assert run.status is RunStatus.SUCCESS, run.failure
    return work, bench.said(SnapshotCompleted)[-1].restic_snapshot_id


def drill_of(nas: Place, made: tuple[BackupRequested, str], **fields: Any) -> DrillRequested:
    work: DrillRequested = work_of(
        DrillRequested,
        nas,
        **{
            "configuration_id": made[0].configuration_id,
            "restic_snapshot_id": made[1],
            "backup_run_id": made[0].run_id,
            "mode": DrillMode.BOOT,
            **fields,
        },
    )
    return work


def result_of(run: RunCompleted) -> DrillResult:
    assert isinstance(run.result, DrillResult), run.failure
    return run.result


def probe(kind: ProbeKind, container: str = "shop-web-1", **fields: Any) -> DrillProbe:
    return DrillProbe(kind=kind, container=container, **{"timeout_seconds": 30, **fields})


@pytest.mark.usefixtures("before")
async def test_it_comes_up_answers_and_is_gone_and_the_app_itself_never_knew(
    bench: Bench, device: dict[str, Any], nas: Place, shop: Shop, tmp_path: Path
) -> None:
    made = await backed_up(bench, nas, shop, device)
    shop.query("truncate orders")
    (shop.site / "index.html").unlink()
    probes = (
        probe(ProbeKind.HTTP, port=8080, path="/index.html", status=200),
        probe(
            ProbeKind.SQL,
            "shop-db-1",
            query="select count(*) from orders",
            minimum=ROWS,
        ),
        probe(ProbeKind.COMMAND, command="nslookup db || true; wget -qO- http://web:8080/"),
        probe(ProbeKind.COMMAND, command="! ls /var/run/docker.sock"),
    )

    run = await bench.outcome(drill_of(nas, made, probes=probes, **device))

    result = result_of(run)
    assert run.status is RunStatus.SUCCESS, result.answers
    assert [each.ok for each in result.answers] == [True] * len(probes)
    assert "200" in result.answers[0].answer
    assert result.answers[1].answer == str(ROWS)
    assert result.dumps == 1
    told = "\n".join(result.left_out)
    assert "at /var/run/docker.sock is not in the snapshot" in told
    assert "what was in /cache is not in the snapshot" in told
    assert "added capabilities" in told
    assert not list(tmp_path.rglob("*holdfast-drill*"))
    assert PASSWORD not in str(bench.bus.published)
    assert shop.query("select count(*) from orders") == "0"


@pytest.mark.usefixtures("before")
async def test_what_does_not_answer_as_it_must_is_no_proof(
    bench: Bench, nas: Place, shop: Shop
) -> None:
    made = await backed_up(bench, nas, shop, {})
    count = "select count(*) from orders"
    wrong = {
        probe(ProbeKind.HTTP, port=8080, path="/none", timeout_seconds=1): "404",
        probe(ProbeKind.HTTP, port=81, timeout_seconds=1): ":81",
        probe(ProbeKind.SQL, "shop-db-1", query=count, minimum=ROWS + 1, timeout_seconds=1): str(
            ROWS
        ),
        probe(ProbeKind.SQL, "shop-db-1", query="select from x", timeout_seconds=1): "ERROR",
        probe(ProbeKind.SQL, query="select 1", timeout_seconds=1): "no database",
        probe(ProbeKind.COMMAND, command="echo no; false", timeout_seconds=1): "no",
        probe(ProbeKind.COMMAND, "elsewhere", command="true", timeout_seconds=1): "elsewhere",
    }

    run = await bench.outcome(drill_of(nas, made, probes=tuple(wrong)))

    assert run.failure is not None
    assert run.failure.code == "probe_failed"
    answers = result_of(run).answers
    assert [each.ok for each in answers] == [False] * len(wrong)
    for told, words in zip(answers, wrong.values(), strict=True):
        assert words in told.answer


@pytest.mark.usefixtures("before")
async def test_what_a_killed_drill_left_is_taken_away_by_the_next_and_discovery_sees_none_of_it(
    bench: Bench,
    nas: Place,
    shop: Shop,
    engine: Dockerd,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    made = await backed_up(bench, nas, shop, {})

    async def died(*_: Any) -> None:
        """As if the power had gone before anything was taken away."""

    with monkeypatch.context() as patch:
        patch.setattr(operation, "_cleared", died)
        await bench.outcome(drill_of(nas, made))
    assert "holdfast-drill-" in engine.docker("ps", "--format", "{{.Names}}").stdout
    assert list(tmp_path.rglob(".holdfast-drill-*"))
    told = json.loads(engine.docker("inspect", *ids(engine)).stdout)
    shut_off = [each for each in told if each["Name"].startswith("/holdfast-drill-")]
    assert len(shut_off) == 2
    (network,) = {name for each in shut_off for name in each["NetworkSettings"]["Networks"]}
    assert engine.docker("network", "inspect", "-f", "{{.Internal}}", network).stdout == "true\n"
    for each in shut_off:
        host = each["HostConfig"]
        for what in ("PortBindings", "CapAdd", "Privileged", "Binds"):
            assert not host[what]
        assert host["RestartPolicy"]["Name"] == "no"
        bound = [mount["Source"] for mount in each["Mounts"] if mount["Type"] == "bind"]
        assert all("/.holdfast-drill-" in source for source in bound)
    look = Look(engine="docker", containers=tuple(msgspec.convert(one, Container) for one in told))
    assert {service.container for app in apps_of(look) for service in app.services} == {
        "shop-db-1",
        "shop-web-1",
    }

    run = await bench.outcome(drill_of(nas, made))

    assert run.status is RunStatus.SUCCESS, run.failure
    assert not list(tmp_path.rglob(".holdfast-drill-*"))


def ids(engine: Dockerd) -> list[str]:
    return engine.docker("ps", "-aq").stdout.split()


@pytest.mark.usefixtures("before")
async def test_what_cannot_come_up_says_why(bench: Bench, nas: Place, shop: Shop) -> None:
    alone = replace(shop.found, services=())
    nothing_kept = backup_of([shop.site], nas)
    await bench.outcome(nothing_kept)
    snapshot = bench.said(SnapshotCompleted)[-1].restic_snapshot_id

    no_app = await bench.outcome(drill_of(nas, (nothing_kept, snapshot)))
    none = await bench.outcome(drill_of(nas, (nothing_kept, snapshot), found=alone))
    unknown = await bench.outcome(drill_of(nas, (nothing_kept, snapshot), found=shop.found))

    for run, words in (
        (no_app, "no containers that are known"),
        (none, "no containers that are known"),
        (unknown, "What shop-db-1, shop-web-1 was is not kept"),
    ):
        assert run.failure is not None
        assert run.failure.code == "drill_cannot_boot"
        assert words in run.failure.message
