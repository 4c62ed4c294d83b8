"""A script of ``store/dump.py`` run again, in one transaction: all of it is there, or nothing."""

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime

import asyncpg

from holdfast.catalog.migrate import bundled, pending
from holdfast.catalog.store.dump import DUMP_SECONDS, END_OF_ROWS
from holdfast.catalog.store.pool import Connection
from holdfast.kernel.errors import ConflictError, InvalidRequestError

COPY = re.compile(rb'copy "(\w+)" \(([^)]*)\) from stdin;\n')
PIECE_BYTES = 1 << 20


class DatabaseNotEmptyError(ConflictError):
    """There is something in the database already."""

    code = "database_not_empty"
    guidance = "--replace sets it aside: it stays in the same database, in a schema of its own."


class DatabaseInUseError(ConflictError):
    """A catalog works on the database."""

    code = "database_in_use"
    guidance = "Stop Holdfast first; Postgres itself must run."


async def bring_in(
    connection: Connection, lines: Iterable[bytes], now: datetime, *, replace: bool
) -> str:
    """Fill the empty database from the lines of a script.

    With *replace* what is there is set aside first; the schema in which it lies then, empty if
    there was nothing.  Raises DatabaseInUseError, DatabaseNotEmptyError, MigrationError for a
    script of a newer release, and InvalidRequestError for one that is not whole, or none.
    """
    try:
        async with connection.transaction():
            if await connection.fetchval(IN_USE):
                raise DatabaseInUseError
            aside = ""
            if await connection.fetchval(HOLDS_ANYTHING):
                if not replace:
                    raise DatabaseNotEmptyError
                aside = f"before_{now:%Y%m%d_%H%M%S}"
                schema = await connection.fetchval("select current_schema()")
                await connection.execute(f'alter schema "{schema}" rename to "{aside}"')
                await connection.execute(f'create schema "{schema}"')
            await _run(connection, iter(lines))
            rows = await connection.fetch("select number, sha256 from schema_version")
            pending(bundled(), {row["number"]: row["sha256"] for row in rows})
            return aside
    except (asyncpg.PostgresSyntaxError, asyncpg.DataError, asyncpg.UndefinedTableError) as error:
        raise InvalidRequestError(
            "The file is no database of Holdfast, or was changed.", detail=str(error)
        ) from error


IN_USE = """
select exists (
    select from pg_stat_activity
     where datname = current_database() and application_name = 'holdfast-catalog'
       and pid <> pg_backend_pid())"""

HOLDS_ANYTHING = """
select exists (
    select from pg_class
     where relnamespace = current_schema()::regnamespace and relkind in ('r', 'v', 'S', 'm'))"""


async def _run(connection: Connection, lines: Iterator[bytes]) -> None:
    words: list[bytes] = []
    is_whole = False
    for line in lines:
        copy = COPY.fullmatch(line)
        if line == b"begin;\n":
            continue
        if line == b"commit;\n":
            is_whole = True
            break
        if copy is None:
            words.append(line)
            continue
        if words:
            await connection.execute(b"".join(words).decode(), timeout=DUMP_SECONDS)
            words.clear()
        await connection.copy_to_table(
            copy[1].decode(),
            columns=[each.strip().strip('"') for each in copy[2].decode().split(",")],
            source=_rows(lines),
            format="text",
            timeout=DUMP_SECONDS,
        )
    if not is_whole:
        raise InvalidRequestError(
            "The file is not whole, or no database of Holdfast.",
            guidance="Nothing was changed. Take it out of the snapshot once more.",
        )
    if words:
        await connection.execute(b"".join(words).decode())


async def _rows(lines: Iterator[bytes]) -> AsyncIterator[bytes]:
    held: list[bytes] = []
    size = 0
    for line in lines:
        if line == END_OF_ROWS:
            break
        held.append(line)
        size += len(line)
        if size > PIECE_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)
