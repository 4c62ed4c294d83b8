"""Handing the database to the executor that backs it up."""

from holdfast.catalog.deps import Deps
from holdfast.catalog.store import dump
from holdfast.catalog.store.pool import reading, transaction
from holdfast.events.queries import DatabasePart, ReadDatabase
from holdfast.kernel.errors import ConflictError, InvalidRequestError

MAKING = DatabasePart(ready=False)


async def answer_read_database(query: ReadDatabase, deps: Deps) -> DatabasePart:
    """A part of the script; the first to ask has it made, which may take longer than it waits.

    All parts are of one moment, and are kept until the run has ended: whoever dies, asker or
    answerer, the same parts are there after it, or none.
    """
    async with reading(deps.pool) as connection:
        if not await dump.is_held(connection, query.run_id, query.claim):
            raise ConflictError("The run is another's by now, or has ended.")
        if await dump.is_made(connection, query.run_id):
            part = await dump.part(connection, query.run_id, query.part)
            if part is None:
                raise InvalidRequestError(f"There is no part {query.part}.")
            return DatabasePart(ready=True, content=part.content, is_last=part.is_last)
    async with (
        transaction(deps.pool) as writes,
        transaction(deps.pool, isolation="repeatable_read") as reads,
    ):
        if await dump.lock(writes, query.run_id) and not await dump.is_made(writes, query.run_id):
            await dump.drop_parts(writes, query.run_id)
            await dump.keep_parts(reads, writes, query.run_id)
    return MAKING
