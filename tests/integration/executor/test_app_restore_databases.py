"""Apps with MariaDB and with Redis, on a real Docker engine: dumped while they are written to,
destroyed, and back with all that was committed before."""

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.events.consistency import Consistency
from holdfast.events.discovery import DataKind, FoundApp, FoundData, FoundService
from holdfast.events.restoring import AppRestoreResult
from holdfast.events.run import RunStatus
from holdfast.events.snapshot import SnapshotCompleted
from holdfast.events.work import AppRestoreRequested, BackupRequested
from holdfast.kernel.ids import new_id
from holdfast.restic.commands import dump, snapshots
from holdfast.restic.commands.dump import DumpOptions
from holdfast.restic.tags import DUMP
from support import mariadb_image as mariadb_in
from support.dockerd import Dockerd
from support.executor import Bench, Place, backup_of, until, work_of

pytestmark = [pytest.mark.restic, pytest.mark.docker]

PASSWORD = "s3cret w'ord"


class Database:
    """An app that is one container with one volume."""

    def __init__(
        self, engine: Dockerd, name: str, *options: str, image: str, inside: str, command: str
    ) -> None:
        self.engine, self.name, self.volume = engine, name, f"{name}_data"
        engine.docker("volume", "rm", "-f", self.volume)
        engine.started(
            name,
            *("--user", "999", "-v", f"{self.volume}:{inside}"),
            *options,
            image=image,
            command=command,
        )
        self.found = FoundApp(
            key=f"docker/container/{name}",
            engine="docker",
            name=name,
            services=(FoundService(name=name, container=name, image=image, status="running"),),
            data=(
                FoundData(
                    kind=DataKind.VOLUME, name=self.volume, path=str(self.path), services=(name,)
                ),
            ),
        )

    @property
    def path(self) -> Path:
        words = ("volume", "inspect", "--format", "{{.Mountpoint}}", self.volume)
        return Path(self.engine.docker(*words).stdout.strip())

    def told(self, variable: str, *words: str) -> subprocess.CompletedProcess[str]:
        """What a command in the container says, with the password in that variable."""
        password = f"{variable}={PASSWORD}"
        return self.engine.docker("exec", "-e", password, self.name, *words, check=False)

    def destroy(self) -> None:
        self.engine.docker("rm", "-f", self.name)
        self.engine.docker("volume", "rm", self.volume)


class Maria(Database):
    def __init__(self, engine: Dockerd, image: str) -> None:
        super().__init__(
            engine,
            "shop-db",
            *("-e", f"MARIADB_ROOT_PASSWORD={PASSWORD}", "-e", "MARIADB_DATABASE=shop"),
            image=image,
            inside="/var/lib/mysql",
            command=mariadb_in.RUN,
        )

    def query(self, text: str, user: str = "root") -> subprocess.CompletedProcess[str]:
        """Over the network, which a server that is only there to make the database has not."""
        words = ("mariadb", "-h", "127.0.0.1", "-u", user, "-N", "-B", "-e", text, "shop")
        return self.told("MYSQL_PWD", *words)


class Writer:
    """Writes rows all the time; ``rows`` were committed by now."""

    def __init__(self, database: Maria) -> None:
        self.rows = 0
        self._database = database
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _write(self) -> None:
        while not self._stop.is_set():
            done = self._database.query("insert into orders (what) values ('ein Kätzchen')")
            self.rows += done.returncode == 0

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture
def bench(engine_bench: Bench) -> Bench:
    return engine_bench


@pytest.fixture
async def maria(engine: Dockerd, mariadb_image: str) -> Maria:
    made = Maria(engine, mariadb_image)
    await until(lambda: made.query("select 1").returncode == 0, seconds=60, what="it answers")
    done = made.query(
        "create table orders (id int auto_increment primary key, what text) engine=innodb; "
        f"create user clerk@'%' identified by '{PASSWORD.replace(chr(39), chr(39) * 2)}'; "
        "grant select, insert on shop.* to clerk@'%'"
    )
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture
def writer(maria: Maria) -> Iterator[Writer]:
    writer = Writer(maria)
    yield writer
    writer.stop()


async def backed_up(bench: Bench, nas: Place, app: Database) -> tuple[BackupRequested, str]:
    work = backup_of(
        [app.path],
        nas,
        consistency=Consistency(containers=(app.name,)),
        environment_of=(app.name,),
        found=app.found,
    )
    run = await bench.outcome(work)
    assert run.status is RunStatus.SUCCESS, run.failure
    return work, bench.said(SnapshotCompleted)[-1].restic_snapshot_id


async def brought_back(
    bench: Bench, nas: Place, app: Database, made: tuple[BackupRequested, str]
) -> AppRestoreResult:
    work = work_of(
        AppRestoreRequested,
        nas,
        app_id=new_id(),
        restic_snapshot_id=made[1],
        backup_run_id=made[0].run_id,
        found=app.found,
    )
    run = await bench.outcome(work)
    assert run.status is RunStatus.SUCCESS, run.failure
    assert isinstance(run.result, AppRestoreResult)
    return run.result


async def dump_beside(bench: Bench, nas: Place, filename: str) -> bytes:
    beside = [each for each in await snapshots.run(bench.restic(nas)) if DUMP in each.tags]
    # The app's settings are kept beside it in the same way.
    (kept,) = [each for each in beside if f"/{filename}" in each.paths]
    options = DumpOptions(snapshot=kept.id, path=f"/{filename}")
    async with dump.open_stream(bench.restic(nas), options) as chunks:
        return b"".join([chunk async for chunk in chunks])


@pytest.mark.mariadb
async def test_every_row_of_mariadb_that_was_committed_is_back(
    bench: Bench, nas: Place, maria: Maria, writer: Writer
) -> None:
    await until(lambda: writer.rows > 20, what="something was written")
    committed = writer.rows
    made = await backed_up(bench, nas, maria)
    assert writer.rows > committed
    writer.stop()
    maria.destroy()

    result = await brought_back(bench, nas, maria, made)

    assert result.databases == ("shop-db",)
    rows = maria.query("select count(*) from orders where what = 'ein Kätzchen'")
    assert int(rows.stdout) >= committed, rows.stderr
    # Other people than root get in as before, and the counter came back as well.
    sold = maria.query("insert into orders (what) values ('a dog')", user="clerk")
    assert sold.returncode == 0, sold.stderr


@pytest.mark.redis
async def test_redis_is_back_from_its_files_and_a_dump_lies_beside(
    bench: Bench, nas: Place, engine: Dockerd, redis_image: str
) -> None:
    app = Database(
        engine,
        "cache",
        *("-e", f"REDIS_PASSWORD={PASSWORD}"),
        image=redis_image,
        inside="/data",
        command='exec redis-server --dir /data --appendonly yes --requirepass "$REDIS_PASSWORD"',
    )

    def said(*words: str) -> str:
        return app.told("REDISCLI_AUTH", "redis-cli", *words).stdout.strip()

    await until(lambda: said("ping") == "PONG", what="it answers")
    assert said("set", "cat", "ein Kätzchen") == "OK"
    made = await backed_up(bench, nas, app)
    assert said("set", "dog", "later") == "OK"
    app.destroy()

    result = await brought_back(bench, nas, app, made)

    assert result.databases == ()
    await until(lambda: said("ping") == "PONG", what="it answers again")
    assert said("--raw", "get", "cat") == "ein Kätzchen"
    assert said("exists", "dog") == "0"
    kept = await dump_beside(bench, nas, "cache.rdb")
    assert kept.startswith(b"REDIS")
    assert "ein Kätzchen".encode() in kept
