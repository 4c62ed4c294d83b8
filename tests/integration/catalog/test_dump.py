"""The database as a script: one moment of it, whole, whoever writes meanwhile."""

import asyncio

import asyncpg
import pytest

from holdfast.catalog.answers.apps import answer_create_app
from holdfast.catalog.answers.dump import answer_read_database
from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import on_run_completed, on_snapshot_completed
from holdfast.catalog.migrate import migrate
from holdfast.catalog.store.pool import open_pool
from holdfast.catalog.store.undump import DatabaseInUseError, DatabaseNotEmptyError, bring_in
from holdfast.events.queries import CreateApp, ReadDatabase
from holdfast.events.run import RunStatus
from holdfast.kernel.errors import ConflictError, InvalidRequestError
from support.catalog import Clock
from support.runs import claimed, protected_app, run_ended, run_of, snapshot_made, started

pytestmark = pytest.mark.postgres

LEFT_OUT = {"database_part", "folder", "listing"}


async def script_of(deps: Deps, run_id: object, claim: int) -> bytes:
    """As an executor reads it."""
    parts: list[bytes] = []
    while True:
        told = await answer_read_database(
            ReadDatabase(run_id=run_id, claim=claim, part=len(parts)), deps
        )
        if told.ready:
            parts.append(told.content)
            if told.is_last:
                return b"".join(parts)


async def contents(pool: asyncpg.Pool) -> dict[str, list[str]]:
    names = await pool.fetch(
        "select relname from pg_class"
        " where relkind = 'r' and relnamespace = current_schema()::regnamespace"
    )
    return {
        row["relname"]: sorted(
            each["line"]
            for each in await pool.fetch(f'select t::text as line from "{row["relname"]}" t')
        )
        for row in names
        if row["relname"] not in LEFT_OUT
    }


async def test_it_is_one_moment_of_every_table(deps: Deps, clock: Clock, other_dsn: str) -> None:
    protected = await protected_app(deps)
    run = await started(deps, protected)
    claim = (await claimed(deps, run.id)).claim
    await deps.pool.execute(
        "insert into app (id, name, device_id, paths, created_at)"
        " select gen_random_uuid(), E'odd\\t\\\\name\\n' || n, $1, '{/a}', now()"
        " from generate_series(1, 5000) n",
        protected.app.device_id,
    )
    stop = asyncio.Event()

    async def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            await answer_create_app(
                CreateApp(name=f"new {number}", device_id=protected.app.device_id, paths=("/n",)),
                deps,
            )

    writing = asyncio.create_task(write())
    script = await script_of(deps, run.id, claim)
    stop.set()
    await writing
    assert len(script) > 500_000
    again = await script_of(deps, run.id, claim)
    assert again == script

    pool = await open_pool(other_dsn)
    async with pool.acquire() as connection:
        await connection.execute("set application_name = 'test'")
        await bring_in(connection, script.splitlines(keepends=True), clock(), replace=False)
    # Each app that is there has its configuration: they are made together.
    apps = await pool.fetchval("select count(*) from app")
    assert apps > 5000
    there = await contents(pool)
    here = await contents(deps.pool)
    assert set(there) == set(here)
    for table, lines in there.items():
        assert set(lines) <= set(here[table]), table
    # Counting goes on where it was.
    highest = await pool.fetchval("select max(id) from outbox")
    assert (
        await pool.fetchval(
            "insert into outbox (event_id, type, payload) values (gen_random_uuid(), 't', '')"
            " returning id"
        )
        == highest + 1
    )
    assert await migrate(other_dsn) == 0
    await pool.close()


async def test_only_who_holds_the_run_gets_it_and_nothing_is_left(deps: Deps, clock: Clock) -> None:
    run = await started(deps, await protected_app(deps))
    claim = (await claimed(deps, run.id)).claim
    with pytest.raises(ConflictError):
        await answer_read_database(ReadDatabase(run_id=run.id, claim=claim + 1, part=0), deps)
    await script_of(deps, run.id, claim)
    with pytest.raises(InvalidRequestError):
        await answer_read_database(ReadDatabase(run_id=run.id, claim=claim, part=99), deps)
    assert await deps.pool.fetchval("select count(*) from database_part") > 0

    await on_snapshot_completed(snapshot_made(run, claim, clock()), deps)
    await on_run_completed(run_ended(run, claim, clock()), deps)
    with pytest.raises(ConflictError):
        await answer_read_database(ReadDatabase(run_id=run.id, claim=claim, part=0), deps)
    assert (await run_of(deps, run.id)).status is RunStatus.SUCCESS
    assert await deps.pool.fetchval("select count(*) from database_part") == 0


async def test_a_database_that_holds_something_or_is_in_use_is_refused(
    deps: Deps, clock: Clock, other_dsn: str
) -> None:
    run = await started(deps, await protected_app(deps))
    claim = (await claimed(deps, run.id)).claim
    lines = (await script_of(deps, run.id, claim)).splitlines(keepends=True)
    before = await contents(deps.pool)
    async with deps.pool.acquire() as connection, deps.pool.acquire():
        await connection.execute("set application_name = 'test'")
        with pytest.raises(DatabaseInUseError):
            await bring_in(connection, lines, clock(), replace=True)
        await connection.execute("set application_name = 'holdfast-catalog'")
    assert await contents(deps.pool) == before

    await migrate(other_dsn)
    pool = await open_pool(other_dsn, max_size=1)
    async with pool.acquire() as connection:
        await connection.execute("set application_name = 'test'")
        with pytest.raises(DatabaseNotEmptyError):
            await bring_in(connection, lines, clock(), replace=False)
        for broken in (lines[:-1], lines[: len(lines) // 2], [b"hello\n"], []):
            with pytest.raises(InvalidRequestError):
                await bring_in(connection, broken, clock(), replace=True)
            assert await connection.fetchval("select count(*) from device") == 0
        aside = await bring_in(connection, lines, clock(), replace=True)
        assert await connection.fetchval(f'select count(*) from "{aside}".device') == 0
        assert await connection.fetchval("select count(*) from device") == 1
    await pool.close()
