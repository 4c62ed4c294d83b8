"""The schema on a real server: made once, by whoever comes first, and never guessed at."""

import asyncio
import re
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from holdfast.catalog.migrate import (
    DatabaseRefusesError,
    Migration,
    MigrationError,
    bundled,
    migrate,
)
from holdfast.catalog.store.pool import DatabaseUnavailableError
from holdfast.catalog.store.sql import load

pytestmark = pytest.mark.postgres

FIRST = Migration(1, "first", "create table a (id integer)")
SECOND = Migration(2, "second", "create table b (id integer); insert into b values (1)")


async def tables(dsn: str) -> set[str]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
    finally:
        await connection.close()
    return {row["tablename"] for row in rows}


async def test_the_schema_is_made_once(postgres_dsn: str) -> None:
    assert await migrate(postgres_dsn) == len(bundled())
    assert await migrate(postgres_dsn) == 0
    assert {"instance", "run", "outbox", "schema_version"} <= await tables(postgres_dsn)


async def test_six_processes_may_start_at_once(postgres_dsn: str) -> None:
    applied = await asyncio.gather(*(migrate(postgres_dsn) for _ in range(6)))

    assert sorted(applied) == [0, 0, 0, 0, 0, len(bundled())]


async def test_only_what_is_pending_is_run(postgres_dsn: str) -> None:
    await migrate(postgres_dsn, [FIRST])

    assert await migrate(postgres_dsn, [FIRST, SECOND]) == 1
    assert {"a", "b"} <= await tables(postgres_dsn)


async def test_a_step_that_fails_leaves_nothing_and_can_be_run_again(postgres_dsn: str) -> None:
    broken = Migration(2, "second", "create table b (id integer); select nonsense")

    with pytest.raises(asyncpg.UndefinedColumnError):
        await migrate(postgres_dsn, [FIRST, broken])

    assert await tables(postgres_dsn) == {"a", "schema_version"}
    assert await migrate(postgres_dsn, [FIRST, SECOND]) == 1


async def test_a_changed_file_and_a_newer_database_are_refused(postgres_dsn: str) -> None:
    await migrate(postgres_dsn, [FIRST, SECOND])

    with pytest.raises(MigrationError, match="0001_first"):
        await migrate(postgres_dsn, [Migration(1, "first", "select 1"), SECOND])
    with pytest.raises(MigrationError, match="has schema 2"):
        await migrate(postgres_dsn, [FIRST])


async def test_a_server_that_is_away_is_told_as_such() -> None:
    with pytest.raises(DatabaseUnavailableError):
        await migrate("postgresql://nobody@127.0.0.1:1/none")


async def test_a_held_lock_is_waited_for_without_blocking_the_server(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.catalog.migrate.LOCK_WAIT_SECONDS", 0.2)
    holder = await asyncpg.connect(postgres_dsn)
    try:
        await holder.execute("select pg_advisory_lock($1)", 0x686F6C6466617374)

        with pytest.raises(DatabaseUnavailableError, match="Another process"):
            await migrate(postgres_dsn)
    finally:
        await holder.close()


MODULES = ("instance", "tokens", "devices", "apps", "policies", "configurations", "destinations")


@pytest.mark.parametrize("module", MODULES)
async def test_every_statement_is_one_that_postgres_understands(
    postgres_dsn: str, module: str
) -> None:
    await migrate(postgres_dsn)
    connection = await asyncpg.connect(postgres_dsn)
    try:
        for name, statement in load(module).items():
            if not re.match("lock table", statement):  # cannot be prepared
                prepared = await connection.prepare(statement)
                assert prepared is not None, name
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "wrong", [{"path": "/nowhere"}, {"netloc": "stranger@"}, {"query": "sslmode=nonsense"}]
)
async def test_an_address_that_postgres_refuses_is_one_sentence(
    postgres_dsn: str, wrong: dict[str, str]
) -> None:
    parts = urlsplit(postgres_dsn)
    if "netloc" in wrong:
        wrong = {"netloc": wrong["netloc"] + parts.netloc.rpartition("@")[2]}

    with pytest.raises(DatabaseRefusesError, match="HOLDFAST_POSTGRES_DSN"):
        await migrate(urlunsplit(parts._replace(**wrong)))
