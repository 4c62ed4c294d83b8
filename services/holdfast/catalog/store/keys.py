"""The keys' rows: which master keys there are, and the data keys under each of them."""

from datetime import datetime

import msgspec

from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import to_structs
from holdfast.catalog.store.sql import load
from holdfast.events.base import AwareTime
from holdfast.secretbox.keys import KdfParameters, MasterKeyKind, WrappedKey
from holdfast.secretbox.token_key import TokenParameters

SQL = load("keys")


class MasterKeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a master key: all but the key."""

    id: str
    kind: MasterKeyKind
    parameters: KdfParameters | TokenParameters | None
    created_at: AwareTime


async def lock_keys(connection: Connection) -> None:
    """Until the transaction ends, no other process makes or changes keys."""
    await connection.execute(SQL["lock_keys"])


async def master_keys(connection: Connection) -> tuple[MasterKeyRow, ...]:
    """All that open the data keys, oldest first."""
    return to_structs(await connection.fetch(SQL["master_keys"]), MasterKeyRow)


async def add_master_key(connection: Connection, row: MasterKeyRow) -> None:
    """One more that is going to open the data keys."""
    await connection.execute(
        SQL["add_master_key"], row.id, row.kind.value, row.parameters, row.created_at
    )


async def drop_other_master_keys(connection: Connection, master_key_id: str) -> tuple[str, ...]:
    """Only this one opens the data keys from now on; the ids of the others."""
    rows = await connection.fetch(SQL["drop_other_master_keys"], master_key_id)
    return tuple(row["id"] for row in rows)


async def count_data_keys(connection: Connection) -> int:
    """How many there are."""
    count: int = await connection.fetchval(SQL["data_keys"])
    return count


async def wrapped_keys(connection: Connection, master_key_id: str) -> tuple[WrappedKey, ...]:
    """The data keys under a master key, the one in use first."""
    return to_structs(await connection.fetch(SQL["wrapped_keys"], master_key_id), WrappedKey)


async def add_data_key(connection: Connection, row: WrappedKey, now: datetime) -> None:
    """Keep one more data key; from now on it seals."""
    await connection.execute(SQL["add_data_key"], row.id, now)
    await add_wrapped_key(connection, row)


async def add_wrapped_key(connection: Connection, row: WrappedKey) -> None:
    """Keep a data key under one more master key."""
    await connection.execute(SQL["add_wrapped_key"], row.id, row.master_key_id, row.wrapped)


async def count_secrets(connection: Connection) -> int:
    """How many secrets the data keys seal."""
    count: int = await connection.fetchval(SQL["secrets"])
    return count


async def receiver_key(connection: Connection) -> bytes | None:
    """The private half of the catalog's own key, sealed, if it has been made."""
    sealed: bytes | None = await connection.fetchval(SQL["receiver_key"])
    return sealed


async def add_receiver_key(connection: Connection, sealed_private: bytes) -> None:
    """Keep the catalog's own key."""
    await connection.execute(SQL["add_receiver_key"], sealed_private)
