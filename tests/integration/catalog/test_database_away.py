"""A database that goes away is told as that, at whatever moment it goes."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from holdfast.catalog.store.pool import (
    DatabaseUnavailableError,
    open_pool,
    reading,
    transaction,
)
from holdfast.embedded.postgres import EmbeddedPostgres

pytestmark = pytest.mark.postgres


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    """One that may be killed."""
    server = EmbeddedPostgres(tmp_path / "postgres")
    await server.start()
    yield server
    await server.stop()


async def kill_in_mid_transaction(server: EmbeddedPostgres, pool: asyncpg.Pool) -> None:
    async with transaction(pool) as connection:
        os.kill(server.pid, signal.SIGKILL)
        while True:
            await connection.fetchval("select pg_sleep(0.01)")


async def break_in_mid_transaction(pool: asyncpg.Pool, *more: str) -> None:
    async with transaction(pool) as connection:
        connection.terminate()
        for statement in more:
            await connection.execute(statement)


async def test_a_server_that_is_killed_stopped_and_started_again(server: EmbeddedPostgres) -> None:
    pool = await open_pool(server.dsn)

    with pytest.raises(DatabaseUnavailableError):
        await kill_in_mid_transaction(server, pool)

    await server.stop()  # and with it the socket is gone
    with pytest.raises(DatabaseUnavailableError):
        async with reading(pool):
            pass

    await server.start()
    async with transaction(pool) as connection:
        assert await connection.fetchval("select 1") == 1
    await pool.close()


async def test_a_connection_that_breaks_between_two_statements(postgres_dsn: str) -> None:
    pool = await open_pool(postgres_dsn)

    with pytest.raises(DatabaseUnavailableError):
        await break_in_mid_transaction(pool, "select 1")
    with pytest.raises(DatabaseUnavailableError):
        await break_in_mid_transaction(pool)  # the commit finds it

    await pool.close()


async def test_a_mistake_of_our_own_is_not_blamed_on_the_database(postgres_dsn: str) -> None:
    pool = await open_pool(postgres_dsn)

    async def mistaken() -> None:
        async with transaction(pool) as connection:
            await connection.fetchval("select $1::int")

    with pytest.raises(asyncpg.InterfaceError):
        await mistaken()

    await pool.close()


async def test_a_connection_that_breaks_when_it_is_given_back(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = await open_pool(postgres_dsn)

    async def broken(*_: object, **__: object) -> None:
        # What asyncpg says when the socket breaks just then; that moment cannot be had at will.
        raise asyncpg.InternalClientError("cannot switch to state 15")

    monkeypatch.setattr(asyncpg.Connection, "reset", broken)

    with pytest.raises(DatabaseUnavailableError):
        async with transaction(pool):
            pass

    monkeypatch.undo()
    await pool.close()


async def refuse(pool: asyncpg.Pool, state: str) -> None:
    """Have the server raise *state*, as it does when the disk is full, say."""
    async with transaction(pool) as connection:
        await connection.execute(f"do $$ begin raise exception sqlstate '{state}'; end $$")


@pytest.mark.parametrize(
    "state",
    ["53100", "53200", "53300", "57P01", "57P02", "57P03", "57014", "58030", "40001", "40P01"],
)
async def test_a_server_that_cannot_work_now_is_away(postgres_dsn: str, state: str) -> None:
    async with await open_pool(postgres_dsn) as pool:
        with pytest.raises(DatabaseUnavailableError):
            await refuse(pool, state)


async def test_a_connection_that_breaks_while_it_is_set_up(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = await open_pool(postgres_dsn)
    await pool.expire_connections()

    async def broken(*_: object, **__: object) -> None:
        # What asyncpg says when the server goes between the greeting and the first statement.
        raise asyncpg.InterfaceError("connection is closed")

    monkeypatch.setattr(asyncpg.Connection, "set_type_codec", broken)

    with pytest.raises(DatabaseUnavailableError):
        async with reading(pool):
            pass

    monkeypatch.undo()
    await pool.close()
