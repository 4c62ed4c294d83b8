"""API tokens: only their hashes are kept."""

from datetime import datetime

from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.sql import load

SQL = load("tokens")


async def name_of(connection: Connection, token_hash: bytes) -> str | None:
    """Whose token it is, or None."""
    name: str | None = await connection.fetchval(SQL["name_of_token"], token_hash)
    return name


async def add(connection: Connection, token_hash: bytes, name: str, now: datetime) -> None:
    """Let the token's holder in; a token that is known stays as it is."""
    await connection.execute(SQL["add_token"], token_hash, name, now)
