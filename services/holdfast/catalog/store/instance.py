"""The instance's own rows: who it is, and its keys, wrapped and sealed."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import to_struct, to_structs
from holdfast.catalog.store.sql import load

SQL = load("instance")


class DataKeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """A data key as it is stored."""

    id: UUID
    master_key_id: str
    wrapped: bytes


class ReceiverKeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """The private half of the catalog's own key, sealed under a data key."""

    data_key_id: UUID
    sealed_private: bytes


async def name_instance(connection: Connection, candidate: UUID, now: datetime) -> UUID:
    """The instance's id: *candidate* if it had none."""
    await connection.execute(SQL["add_instance"], candidate, now)
    found: UUID = await connection.fetchval(SQL["instance_id"])
    return UUID(int=found.int)


async def lock_keys(connection: Connection) -> None:
    """Until the transaction ends, no other process makes keys."""
    await connection.execute(SQL["lock_keys"])


async def data_keys(connection: Connection) -> tuple[DataKeyRow, ...]:
    """All data keys, the one in use first."""
    return to_structs(await connection.fetch(SQL["data_keys"]), DataKeyRow)


async def add_data_key(connection: Connection, row: DataKeyRow, now: datetime) -> None:
    """Keep one more data key; from now on it seals."""
    await connection.execute(SQL["add_data_key"], row.id, row.master_key_id, row.wrapped, now)


async def key_parameters(connection: Connection) -> Any:
    """How the passphrase becomes the master key, as plain values, or None."""
    return await connection.fetchval(SQL["key_parameters"])


async def add_key_parameters(connection: Connection, parameters: Any) -> None:
    """Keep how the passphrase becomes the master key."""
    await connection.execute(SQL["add_key_parameters"], parameters)


async def receiver_key(connection: Connection) -> ReceiverKeyRow | None:
    """The catalog's own key, if it has been made."""
    row = await connection.fetchrow(SQL["receiver_key"])
    return None if row is None else to_struct(row, ReceiverKeyRow)


async def add_receiver_key(connection: Connection, row: ReceiverKeyRow) -> None:
    """Keep the catalog's own key."""
    await connection.execute(SQL["add_receiver_key"], row.data_key_id, row.sealed_private)
