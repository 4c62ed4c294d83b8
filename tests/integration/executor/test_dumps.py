"""Databases are dumped into the repository: a real PostgreSQL in a container, real SQLite."""

import os
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from holdfast.events.consistency import Consistency
from holdfast.events.run import RunStatus
from holdfast.events.snapshot import SnapshotCompleted
from holdfast.events.work import ForgetAdmitted
from holdfast.kernel.ids import new_id
from holdfast.restic.commands import dump, snapshots
from holdfast.restic.commands.dump import DumpOptions
from holdfast.restic.commands.snapshots import Snapshot
from holdfast.restic.tags import DUMP
from support.dockerd import Dockerd
from support.executor import Bench, Place, backup_of, until, work_of

pytestmark = [pytest.mark.restic]


async def dumps_in(bench: Bench, place: Place) -> list[Snapshot]:
    return [each for each in await snapshots.run(bench.restic(place)) if DUMP in each.tags]


async def content_of(bench: Bench, place: Place, snapshot: Snapshot, name: str) -> str:
    options = DumpOptions(snapshot=snapshot.id, path=f"/{name}")
    async with dump.open_stream(bench.restic(place), options) as chunks:
        return b"".join([chunk async for chunk in chunks]).decode()


@pytest.fixture
async def database(engine: Dockerd, postgres_image: str) -> str:
    """The name of a container with a database that asks for its password."""
    command = (
        'mkdir -p /tmp/run && printf %s "$POSTGRES_PASSWORD" > /tmp/pw && '
        "initdb -D /tmp/data -U immich -A scram-sha-256 --pwfile /tmp/pw --locale C >/dev/null && "
        "exec postgres -D /tmp/data -k /tmp -c unix_socket_directories=/tmp,/var/run/postgresql"
    )
    engine.started(
        "immich_db",
        *("--user", "999", "--tmpfs", "/var/run/postgresql:mode=1777"),
        *("-e", "POSTGRES_PASSWORD=s3cret w'ord", "-e", "POSTGRES_USER=immich"),
        image=postgres_image,
        command=command,
    )

    def query(text: str) -> subprocess.CompletedProcess[str]:
        return engine.docker(
            *("exec", "-e", "PGPASSWORD=s3cret w'ord", "immich_db"),
            *("psql", "-U", "immich", "-d", "postgres", "-c", text),
            check=False,
        )

    await until(lambda: query("select 1").returncode == 0, seconds=60, what="it answers")
    assert query("create table photo as select 'a cat' as what").returncode == 0
    return "immich_db"


@pytest.mark.docker
async def test_postgresql_is_dumped_as_it_runs_and_the_dump_goes_with_its_snapshot(
    docker_bench: Bench, docker_device: dict[str, Any], nas: Place, data: Path, database: str
) -> None:
    bench, wanted = docker_bench, Consistency(containers=(database,))
    bench.knows(nas)

    run = await bench.outcome(backup_of([data], nas, consistency=wanted, **docker_device))

    assert run.status is RunStatus.SUCCESS, run.failure
    (kept,) = await dumps_in(bench, nas)
    text = await content_of(bench, nas, kept, "immich_db.sql")
    assert "CREATE TABLE public.photo" in text
    assert "a cat" in text
    (made,) = bench.said(SnapshotCompleted)
    assert made.restic_snapshot_id != kept.id

    forgotten = await bench.outcome(
        work_of(
            ForgetAdmitted,
            nas,
            configuration_id=new_id(),
            restic_snapshot_ids=(made.restic_snapshot_id,),
        )
    )
    assert forgotten.status is RunStatus.SUCCESS, forgotten.failure
    assert await snapshots.run(bench.restic(nas)) == ()


@pytest.mark.docker
async def test_a_dump_that_fails_fails_the_run(
    docker_bench: Bench, docker_device: dict[str, Any], nas: Place, data: Path, database: str,
    engine: Dockerd,
) -> None:  # fmt: skip
    bench = docker_bench.knows(nas)
    # What the container was started with does not open it any more.
    engine.docker(
        *("exec", "-e", "PGPASSWORD=s3cret w'ord", database, "psql", "-U", "immich"),
        *("-d", "postgres", "-c", "alter role immich password 'other'"),
    )

    run = await bench.outcome(
        backup_of([data], nas, consistency=Consistency(containers=(database,)), **docker_device)
    )

    assert run.status is RunStatus.FAILED
    assert run.failure is not None
    assert run.failure.code == "dump_failed"
    assert "PostgreSQL in immich_db" in run.failure.message
    assert "password" in run.failure.detail
    assert await snapshots.run(bench.restic(nas)) == ()


@pytest.fixture
def live(tmp_path: Path) -> Any:
    """A SQLite file that somebody writes to: its newest rows are in the log beside it only."""
    if shutil.which("sqlite3") is None:
        pytest.skip("there is no sqlite3 here: apt-get install sqlite3")
    path = tmp_path / "app" / "it's.db"
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("pragma journal_mode=wal")
    connection.execute("create table note (what text)")
    connection.execute("insert into note values ('only in the log')")
    connection.commit()
    yield path
    connection.close()


async def test_a_sqlite_file_in_use_is_dumped_whole(bench: Bench, nas: Place, live: Path) -> None:
    (live.parent / "no database-wal").write_text("x")
    (live.parent / "no database").write_text("x")

    run = await bench.outcome(backup_of([live.parent], nas, consistency=Consistency(sqlite=True)))

    assert run.status is RunStatus.SUCCESS, run.failure
    (kept,) = await dumps_in(bench, nas)
    name = str(live).strip("/").replace("/", "_") + ".sql"
    text = await content_of(bench, nas, kept, name)
    back = sqlite3.connect(":memory:")
    back.executescript(text)
    assert back.execute("select what from note").fetchall() == [("only in the log",)]
    back.close()


async def test_a_sqlite_file_that_is_damaged_fails_the_run(
    bench: Bench, nas: Place, live: Path
) -> None:
    with sqlite3.connect(live) as connection:
        connection.executemany("insert into note values (?)", [("x" * 900,)] * 200)
    connection.execute("pragma wal_checkpoint(passive)")
    connection.close()
    with live.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(4096 * 40))

    run = await bench.outcome(backup_of([live.parent], nas, consistency=Consistency(sqlite=True)))

    assert run.failure is not None
    assert run.failure.code == "dump_failed"
    assert await dumps_in(bench, nas) == []
