"""The database as a script of SQL: what it was at one moment, for an empty database.

It is what ``pg_dump`` would write, made by COPY over the connection that is there: a catalog
may run beside any Postgres, whose own programs it has not got, or of another release.  ``psql``
can run it.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from graphlib import TopologicalSorter
from uuid import UUID

import msgspec

from holdfast.catalog.migrate import VERSION_TABLE, bundled
from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import to_struct
from holdfast.catalog.store.sql import load

SQL = load("dump")

PART_BYTES = 500_000
"""As text, a third more; the bus takes a megabyte."""

DUMP_SECONDS = 600

HEAD = "-- The database of Holdfast.  Into an empty database: holdfast restore-database FILE\n"
END_OF_ROWS = b"\\.\n"

COUNT_ON = (
    "select setval(pg_get_serial_sequence('{table}', '{column}'), "
    'coalesce((select max("{column}") from "{table}"), 0) + 1, false);'
)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the script."""

    content: bytes
    is_last: bool


async def is_held(connection: Connection, run_id: UUID, claim: int) -> bool:
    """Whether that claim of the run is the one that counts."""
    return bool(await connection.fetchval(SQL["is_held"], run_id, claim))


async def part(connection: Connection, run_id: UUID, number: int) -> Part | None:
    """A part that is kept for a run."""
    row = await connection.fetchrow(SQL["part"], run_id, number)
    return None if row is None else to_struct(row, Part)


async def is_made(connection: Connection, run_id: UUID) -> bool:
    """Whether all parts are kept."""
    return bool(await connection.fetchval(SQL["is_made"], run_id))


async def lock(connection: Connection, run_id: UUID) -> bool:
    """Whether nobody else makes the parts of this run before the transaction ends."""
    return bool(await connection.fetchval(SQL["lock"], str(run_id)))


async def drop_parts(connection: Connection, run_id: UUID) -> None:
    """Those of the run, and of others that have ended."""
    await connection.execute(SQL["drop_parts"], run_id)


async def keep_parts(reads: Connection, writes: Connection, run_id: UUID) -> None:
    """Keep what *reads* sees, one moment of the database, as the run's parts."""
    number, held = 0, b""
    async for piece in script(reads):
        held += piece
        while len(held) > PART_BYTES:
            await writes.execute(SQL["add_part"], run_id, number, False, held[:PART_BYTES])
            number, held = number + 1, held[PART_BYTES:]
    await writes.execute(SQL["add_part"], run_id, number, True, held)


async def script(connection: Connection) -> AsyncIterator[bytes]:
    """The script.  *connection* is in a transaction that sees one moment."""
    await connection.execute(f"set local statement_timeout = '{DUMP_SECONDS}s'")
    yield f"{HEAD}begin;\n{VERSION_TABLE};\n".encode()
    for step in bundled():
        yield f"{step.sql}\n".encode()
    for table in await _tables(connection):
        names = [row["attname"] for row in await connection.fetch(SQL["columns"], table)]
        columns = ", ".join(f'"{name}"' for name in names)
        yield f'copy "{table}" ({columns}) from stdin;\n'.encode()
        async for rows in _rows(connection, table, names):
            yield rows
        yield END_OF_ROWS
    for row in await connection.fetch(SQL["counters"]):
        table, column = row["table_name"], row["column_name"]
        yield f"{COUNT_ON.format(table=table, column=column)}\n".encode()
    yield b"commit;\n"


async def _tables(connection: Connection) -> Iterable[str]:
    """In an order in which they can be filled."""
    names = {row["relname"] for row in await connection.fetch(SQL["tables"])}
    order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(sorted(names), ()))
    for row in await connection.fetch(SQL["references"]):
        if row["from_table"] in names:
            order.add(row["from_table"], row["to_table"])
    return tuple(each for each in order.static_order() if each in names)


async def _rows(connection: Connection, table: str, columns: list[str]) -> AsyncIterator[bytes]:
    """A table's rows as COPY writes them, a piece at a time."""
    pieces: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=16)

    async def copy() -> None:
        try:
            await connection.copy_from_table(
                table, columns=columns, output=pieces.put, format="text", timeout=DUMP_SECONDS
            )
        finally:
            await pieces.put(None)

    copying = asyncio.create_task(copy())
    try:
        while (piece := await pieces.get()) is not None:
            yield piece
        await copying
    finally:
        copying.cancel()
        await asyncio.gather(copying, return_exceptions=True)
