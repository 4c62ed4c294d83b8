"""Brings the database to the schema that this program speaks: forwards only, a file at a time."""

import asyncio
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

import asyncpg

from holdfast.catalog.store.pool import DatabaseUnavailableError
from holdfast.kernel.errors import HoldfastError

ADVISORY_LOCK = 0x686F6C6466617374
"""Held on the migrating connection while it works ("holdfast" in ASCII)."""

LOCK_WAIT_SECONDS = 60.0
"""How long a start waits for another process that is migrating."""

POLL_SECONDS = 0.05

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")

VERSION_TABLE = """
create table if not exists schema_version (
    number     integer primary key,
    name       text not null,
    sha256     text not null,
    applied_at timestamptz not null default now()
)"""
"""Which steps were run."""


class MigrationError(HoldfastError):
    """The database's schema and this version of Holdfast do not fit."""

    code = "schema_mismatch"


class DatabaseRefusesError(HoldfastError):
    """Postgres does not let Holdfast in."""

    code = "database_refuses"
    guidance = "Look at user, password and database in HOLDFAST_POSTGRES_DSN."


@dataclass(frozen=True)
class Migration:
    """One step, and the sum that shows whether it is the one that was run."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.number:04d}_{self.name}"


def bundled() -> tuple[Migration, ...]:
    """The steps that come with this program, in order; ValueError when a number is missing."""
    found = sorted(
        (int(match[1]), match[2], entry.read_text(encoding="utf-8"))
        for entry in files("holdfast.catalog.migrations").iterdir()
        if (match := _FILE_NAME.fullmatch(entry.name))
    )
    steps = tuple(Migration(number, name, sql) for number, name, sql in found)
    if [step.number for step in steps] != list(range(1, len(steps) + 1)):
        raise ValueError("The migrations are not numbered 0001, 0002 and so on without a gap.")
    return steps


def pending(steps: Sequence[Migration], applied: Mapping[int, str]) -> tuple[Migration, ...]:
    """The steps still to run, given number and sum of those that have.

    Raises MigrationError when the database is newer, misses a step in between, or has run
    a step that reads differently here.
    """
    newest = max(applied, default=0)
    if newest > len(steps):
        raise MigrationError(
            f"The database has schema {newest}, this version of Holdfast knows {len(steps)}.",
            guidance="Start the newer version of Holdfast again, or restore an older database.",
        )
    for step in steps[:newest]:
        if applied.get(step.number) != step.sha256:
            raise MigrationError(
                f"The database was not made by the migration {step} of this version.",
                guidance="Start the version that last used this database.",
            )
    return tuple(steps[newest:])


async def migrate(dsn: str, steps: Sequence[Migration] | None = None) -> int:
    """Run what is pending; the number of steps that were run.

    Any number of processes may do it at once: one works, the others wait and find nothing
    to do.  Each step is one transaction with its version row, so a crash leaves whole steps.
    Raises MigrationError, DatabaseRefusesError when user, password or database will not do,
    or DatabaseUnavailableError when the server is away or too busy.
    """
    steps = bundled() if steps is None else steps
    try:
        connection = await asyncpg.connect(
            dsn,
            server_settings={
                "application_name": "holdfast-migrate",
                "lock_timeout": "10s",
                "statement_timeout": "30min",
            },
        )
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError) as error:
        raise DatabaseUnavailableError(detail=str(error)) from error
    except (
        asyncpg.InvalidAuthorizationSpecificationError,
        asyncpg.InvalidCatalogNameError,
        ValueError,
    ) as error:
        raise DatabaseRefusesError(detail=str(error)) from error
    try:
        await _lock(connection)
        return await _run(connection, steps)
    except asyncpg.LockNotAvailableError as error:
        raise DatabaseUnavailableError(
            "A table that the migration changes is in use.", detail=str(error)
        ) from error
    finally:
        await connection.close()  # and with it goes the advisory lock


async def _lock(connection: asyncpg.Connection) -> None:
    """Take the advisory lock by asking again and again.

    A blocked pg_advisory_lock would hold a snapshot, and CREATE INDEX CONCURRENTLY in the
    process that has the lock would wait for that snapshot: a deadlock.
    """
    question = "select pg_try_advisory_lock($1)"
    try:
        async with asyncio.timeout(LOCK_WAIT_SECONDS):
            # Another process frees it: no event of this one could tell.
            while not await connection.fetchval(question, ADVISORY_LOCK):  # noqa: ASYNC110 - see above
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError as error:
        raise DatabaseUnavailableError("Another process is migrating the database.") from error


async def _run(connection: asyncpg.Connection, steps: Sequence[Migration]) -> int:
    await connection.execute(VERSION_TABLE)
    rows = await connection.fetch("select number, sha256 from schema_version")
    todo = pending(steps, {row["number"]: row["sha256"] for row in rows})
    for step in todo:
        async with connection.transaction():
            await connection.execute(step.sql)
            await connection.execute(
                "insert into schema_version (number, name, sha256) values ($1, $2, $3)",
                step.number,
                step.name,
                step.sha256,
            )
    return len(todo)
