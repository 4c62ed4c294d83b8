"""An app brought up for a drill, beside the one that runs: on a real engine, with a real dump."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from holdfast.events.consistency import Consistency
from holdfast.events.discovery import DataKind, DeviceDiscovered, FoundApp, FoundData, FoundService
from holdfast.events.drills import DrillProbe, ProbeKind
from holdfast.events.queries import Claim
from holdfast.events.run import Operation, RunStatus
from holdfast.events.snapshot import SnapshotCompleted
from holdfast.events.work import BackupRequested, DiscoverRequested
from holdfast.executor.apps.databases import dumps_among
from holdfast.executor.apps.definitions import kept_in
from holdfast.executor.apps.steps import Steps
from holdfast.executor.attempt import Attempt
from holdfast.executor.beside import beside
from holdfast.executor.drills.boot import Booting, NotBootableError, boot, clear
from holdfast.executor.drills.isolation import name_of, prefix_of
from holdfast.executor.hold import Hold
from holdfast.executor.progress import Progress
from holdfast.executor.there import at_device
from holdfast.kernel.clock import utc_now
from holdfast.kernel.ids import new_id
from holdfast.restic.commands import restore
from holdfast.restic.commands.restore import RestoreOptions
from support.dockerd import Dockerd
from support.executor import Bench, Place, backup_of, until
from support.postgres_image import RUN

pytestmark = [pytest.mark.restic, pytest.mark.docker]

PASSWORD = "s3cret w'ord"
NAMES = ("shop-db-1", "shop-web-1")


@pytest.fixture
def bench(engine_bench: Bench) -> Bench:
    """With the tests' own engine."""
    return engine_bench


@pytest.fixture
def device(engine_device: dict[str, Any]) -> dict[str, Any]:
    """The field of work that says where the app is."""
    return engine_device


class Shop:
    """PostgreSQL in a volume, a site that is bound, and what cannot come along."""

    def __init__(self, engine: Dockerd, root: Path) -> None:
        self.engine = engine
        self.site = root / "site"
        self.site.mkdir()
        (self.site / "page").write_text("as it was")
        engine.started(
            "shop-db-1",
            *("--user", "999", "-v", "shop_db:/var/lib/postgresql/data"),
            *("--tmpfs", "/var/run/postgresql:mode=1777"),
            *("-e", f"POSTGRES_PASSWORD={PASSWORD}", "-e", "POSTGRES_USER=shop"),
            *("-e", "POSTGRES_DB=postgres", "--label", "com.docker.compose.project=shop"),
            image="postgres:15",
            command=RUN,
        )
        engine.started(
            "shop-web-1",
            *("-v", f"{self.site}:/site", "-v", "/etc/hostname:/host-name:ro"),
            *("-v", "shop_cache:/cache", "-p", "39182:80", "--restart", "unless-stopped"),
            *("--label", "com.docker.compose.project=shop"),
            command="echo up >>/site/log; exec httpd -f -p 80 -h /site",
        )
        volume = engine.docker("volume", "inspect", "-f", "{{.Mountpoint}}", "shop_db")
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
                    path=volume.stdout.strip(),
                    services=("db",),
                ),
                FoundData(kind=DataKind.BIND, path=str(self.site), services=("web",)),
            ),
        )

    def query(self, text: str) -> str:
        return self.engine.docker(
            *("exec", "-e", f"PGPASSWORD={PASSWORD}", "shop-db-1"),
            *("psql", "-h", "127.0.0.1", "-U", "shop", "-d", "postgres", "-Atc", text),
            check=False,
        ).stdout.strip()


@pytest.fixture
async def shop(engine: Dockerd, postgres_image: str, tmp_path: Path) -> AsyncIterator[Shop]:
    assert postgres_image
    shop = Shop(engine, tmp_path)
    await until(lambda: shop.query("select 1") == "1", seconds=60, what="the database answers")
    shop.query("create table orders as select generate_series(1, 7) as id")
    yield shop
    engine.remove_all()
    engine.docker("volume", "rm", "-f", "shop_db", "shop_cache")


def everything(engine: Dockerd) -> list[str]:
    """All that the engine has, and since when it runs."""
    ids = engine.docker("ps", "-aq", "--no-trunc").stdout.split()
    started = engine.docker("inspect", "-f", "{{.Name}} {{.State.StartedAt}}", *ids).stdout
    volumes = engine.docker("volume", "ls", "-q").stdout
    networks = engine.docker("network", "ls", "--format", "{{.Name}}").stdout
    return sorted((*ids, *started.splitlines(), *volumes.split(), *networks.split()))


async def drilled(
    bench: Bench, nas: Place, shop: Shop, device: dict[str, Any], root: Path
) -> tuple[BackupRequested, Booting]:
    """A backup of the shop, and its snapshot in a scratch directory."""
    work = backup_of(
        [Path(each) for each in shop.found.paths()],
        nas,
        environment_of=NAMES,
        consistency=Consistency(containers=NAMES),
        **device,
    )
    run = await bench.outcome(work)
    assert run.status is RunStatus.SUCCESS, run.failure
    restic = bench.restic(nas)
    snapshot = bench.said(SnapshotCompleted)[-1].restic_snapshot_id
    await restore.run(restic, RestoreOptions(snapshot=snapshot, target=str(root)))
    found = await kept_in(restic, await beside(restic, work.run_id))
    dumps = dumps_among(found.beside, shop.found, found.definitions)
    assert [each.container for each in dumps] == ["shop-db-1"]
    return work, Booting(
        drill_id=new_id(),
        found=shop.found,
        kept=found,
        dumps=dumps,
        root=str(root),
        probes=(),
        address=nas.address,
        restic=restic,
    )


@asynccontextmanager
async def attempt_of(bench: Bench, nas: Place, work: BackupRequested) -> AsyncIterator[Attempt]:
    """As a run has it in its hands, logged in to the device."""
    hold = Hold(
        bench.bus,
        work.run_id,
        1,
        lasts_seconds=600,
        held_since=bench.deps.monotonic(),
        monotonic=bench.deps.monotonic,
    )
    attempt = Attempt(
        deps=bench.deps,
        work=work,
        claim=Claim(granted=True, claim=1),
        secrets={nas.id: nas.secrets, **bench.logins},
        hold=hold,
        progress=Progress(bench.bus, bench.deps.now, work.run_id, Operation.BACKUP),
        started_at=utc_now(),
    )
    async with at_device(attempt, work.device) as there:
        yield there


def http(path: str, status: int = 0) -> DrillProbe:
    return DrillProbe(
        kind=ProbeKind.HTTP, container="shop-web-1", path=path, status=status, timeout_seconds=5
    )


def sql(minimum: int) -> DrillProbe:
    return DrillProbe(
        kind=ProbeKind.SQL,
        container="shop-db-1",
        query="select count(*) from orders",
        minimum=minimum,
        timeout_seconds=2,
    )


def command(line: str) -> DrillProbe:
    return DrillProbe(
        kind=ProbeKind.COMMAND, container="shop-web-1", command=line, timeout_seconds=2
    )


PROBES = (
    (http("/page"), True),
    (http("/nothing"), False),
    (http("/nothing", 404), True),
    (sql(7), True),
    (sql(8), False),
    (command("grep -q 'as it was' /site/page"), True),
    (command("exit 3"), False),
    # The device itself does not answer, nor is there a way past it.
    (command("ping -c 1 -W 1 $(ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p')"), False),
    # Its neighbour is there by its old name.
    (command("ping -c 1 -W 1 shop-db-1"), True),
    (command("[ ! -e /host-name ] && [ -d /cache ]"), True),
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return scratch


async def test_it_comes_up_beside_the_app_answers_and_leaves_nothing(
    bench: Bench, nas: Place, shop: Shop, device: dict[str, Any], root: Path
) -> None:
    work, booting = await drilled(bench, nas, shop, device, root)
    booting = msgspec.structs.replace(booting, probes=tuple(each for each, _ in PROBES))
    # The app goes on: what comes now is not in the drill.
    shop.query("insert into orders select generate_series(8, 20)")
    (shop.site / "page").write_text("later")
    log = (shop.site / "log").read_text()
    before = everything(shop.engine)

    async with attempt_of(bench, nas, work) as attempt:
        await clear(attempt, booting.drill_id)
        booted = await boot(attempt, booting, Steps(utc_now))
        published = shop.engine.docker("port", name_of(booting.drill_id, "shop-web-1")).stdout
        internal = shop.engine.docker(
            "network", "inspect", "-f", "{{.Internal}}", prefix_of(booting.drill_id)
        ).stdout.strip()
        during = everything(shop.engine)
        seen = await discovered(bench, work)
        # As whoever takes up a run that was killed here.
        await clear(attempt, booting.drill_id)
        after = everything(shop.engine)
        await clear(attempt, booting.drill_id)

    told = [(each.probe, each.ok) for each in booted.answers]
    assert [ok for _, ok in told] == [ok for _, ok in PROBES], "\n".join(map(repr, booted.answers))
    assert booted.answers[3].answer == "7"
    assert "404" in booted.answers[1].answer
    assert (published, internal) == ("", "true")
    assert set(before) < set(during)
    assert after == before
    assert any("/etc/hostname" in each for each in booted.left_out)
    assert any("/cache" in each for each in booted.left_out)
    assert prefix_of(booting.drill_id) not in repr(seen)
    assert [each.name for each in seen.apps] == ["shop"]
    assert shop.query("select count(*) from orders") == "20"
    assert (shop.site / "page").read_text() == "later"
    assert (shop.site / "log").read_text() == log


async def discovered(bench: Bench, work: BackupRequested) -> DeviceDiscovered:
    """What a discovery finds now."""
    run = await bench.outcome(
        DiscoverRequested(
            event_id=new_id(),
            occurred_at=utc_now(),
            run_id=new_id(),
            site="main",
            device_id=work.device.device_id if work.device else new_id(),
            device=work.device,
        )
    )
    assert run.status is RunStatus.SUCCESS, run.failure
    return bench.said(DeviceDiscovered)[-1]


async def test_what_is_not_there_is_named(bench: Bench, nas: Place, shop: Shop, root: Path) -> None:
    work, booting = await drilled(bench, nas, shop, {}, root)
    web = booting.kept.definitions["shop-web-1"]
    config = {**web.config, "Image": "gone:7"}
    other = msgspec.structs.replace(web, config=config, image_id="sha256:" + "0" * 64)
    before = everything(shop.engine)

    def with_kept(**definitions: Any) -> Booting:
        known = {"shop-db-1": booting.kept.definitions["shop-db-1"], **definitions}
        return msgspec.structs.replace(
            booting, kept=msgspec.structs.replace(booting.kept, definitions=known)
        )

    async with attempt_of(bench, nas, work) as attempt:
        with pytest.raises(NotBootableError, match="gone:7"):
            await boot(attempt, with_kept(**{"shop-web-1": other}), Steps(utc_now))
        with pytest.raises(NotBootableError, match="shop-web-1"):
            await boot(attempt, with_kept(), Steps(utc_now))

    assert everything(shop.engine) == before


async def test_what_only_looks_like_a_drill_is_not_touched(
    bench: Bench, nas: Place, engine: Dockerd
) -> None:
    drill: UUID = new_id()
    engine.started("mine", "--label", f"holdfast.drill={drill}")
    engine.started(name_of(drill, "web"))
    work = backup_of([Path("/nowhere")], nas)
    before = everything(engine)

    async with attempt_of(bench, nas, work) as attempt:
        await clear(attempt, drill)

    assert everything(engine) == before
