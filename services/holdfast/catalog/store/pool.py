"""The connections to Postgres, all set up alike."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from holdfast.kernel.errors import UnavailableError

Connection = asyncpg.Connection | PoolConnectionProxy
Pool = asyncpg.Pool
"""What the functions of the store take: a connection, from the pool or not."""

STATEMENT_SECONDS = 30
LOCK_SECONDS = 10
ACQUIRE_SECONDS = 10


class DatabaseUnavailableError(UnavailableError):
    """The database does not answer right now."""

    code = "database_unavailable"


async def open_pool(dsn: str, *, max_size: int = 10) -> asyncpg.Pool:
    """Connections to *dsn* whose json and jsonb are plain values, both ways.

    Going in, anything msgspec encodes (structs, ids, times); coming out, dicts and lists:
    ``msgspec.convert(value, Type)`` makes the struct again.  Raises DatabaseUnavailableError.
    """
    try:
        return await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=max_size,
            init=set_codecs,
            command_timeout=STATEMENT_SECONDS + 5,
            server_settings={
                "application_name": "holdfast-catalog",
                "statement_timeout": f"{STATEMENT_SECONDS}s",
                "lock_timeout": f"{LOCK_SECONDS}s",
                "idle_in_transaction_session_timeout": "60s",
            },
        )
    except _AWAY as error:
        raise DatabaseUnavailableError(detail=str(error)) from error


async def set_codecs(connection: Connection) -> None:
    """Teach one connection what json is; the pool does it for each of its own."""
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=_to_json, decoder=msgspec.json.decode
        )


def _to_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


@asynccontextmanager
async def transaction(
    pool: asyncpg.Pool, *, isolation: Literal["repeatable_read"] | None = None
) -> AsyncIterator[Connection]:
    """One connection in one transaction; a database that is away is DatabaseUnavailableError.

    With *isolation* every statement in it reads the same moment.
    """
    async with reading(pool) as connection, connection.transaction(isolation=isolation):
        yield connection


@asynccontextmanager
async def reading(pool: asyncpg.Pool) -> AsyncIterator[Connection]:
    """One connection without a transaction, for a single statement or reads that may differ."""
    ours = False
    try:
        async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            try:
                yield connection
            except asyncpg.InterfaceError as error:
                # It also tells of mistakes in our own code.
                if _is_broken(connection):
                    raise DatabaseUnavailableError(detail=str(error)) from error
                ours = True
                raise
    except asyncpg.InterfaceError as error:
        if ours:
            raise
        # The connection broke while the pool set it up, or took it back.
        raise DatabaseUnavailableError(detail=str(error)) from error
    except _AWAY as error:
        raise DatabaseUnavailableError(detail=str(error)) from error


def _is_broken(connection: Connection) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True  # the pool has taken it back already, which it does when it is lost


_AWAY = (
    asyncpg.PostgresConnectionError,
    # It starts, stops, or has cancelled the statement.
    asyncpg.OperatorInterventionError,
    # No room: on the disk, in the memory, for one more connection.
    asyncpg.InsufficientResourcesError,
    # The disk underneath fails.
    asyncpg.PostgresSystemError,
    # Two transactions were in each other's way: this one may be tried again.
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    # A connection that broke while asyncpg had something else to do with it than to wait.
    asyncpg.InternalClientError,
    # Not only ConnectionError: the socket of a server that starts is a file that is not there.
    OSError,
)
"""What asyncpg raises when the server is gone, going, starting, full, deaf or too busy.

Whole classes of SQLSTATE: none of it is a fault of what was asked, and an event that meets
it must come again for as long as it takes, not end as a dead letter."""
