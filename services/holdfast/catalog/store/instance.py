"""The instance's own rows: who it is, and its keys, wrapped and sealed."""

from datetime import datetime
from uuid import UUID

import msgspec

from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import to_structs
from holdfast.catalog.store.sql import load
from holdfast.secretbox.keys import KdfParameters, WrappedKey

SQL = load("instance")


async def name_instance(connection: Connection, candidate: UUID, now: datetime) -> UUID:
    """The instance's id: *candidate* if it had none."""
    await connection.execute(SQL["add_instance"], candidate, now)
    found: UUID = await connection.fetchval(SQL["instance_id"])
    return UUID(int=found.int)


async def lock_keys(connection: Connection) -> None:
    """Until the transaction ends, no other process makes keys."""
    await connection.execute(SQL["lock_keys"])


async def data_keys(connection: Connection) -> tuple[WrappedKey, ...]:
    """All data keys, the one in use first."""
    return to_structs(await connection.fetch(SQL["data_keys"]), WrappedKey)


async def add_data_key(connection: Connection, row: WrappedKey, now: datetime) -> None:
    """Keep one more data key; from now on it seals."""
    await connection.execute(SQL["add_data_key"], row.id, row.master_key_id, row.wrapped, now)


async def key_parameters(connection: Connection) -> KdfParameters | None:
    """How the passphrase becomes the master key, if one was ever used."""
    found = await connection.fetchval(SQL["key_parameters"])
    return None if found is None else msgspec.convert(found, KdfParameters)


async def add_key_parameters(connection: Connection, parameters: KdfParameters) -> None:
    """Keep how the passphrase becomes the master key."""
    await connection.execute(SQL["add_key_parameters"], parameters)


async def receiver_key(connection: Connection) -> bytes | None:
    """The private half of the catalog's own key, sealed, if it has been made."""
    sealed: bytes | None = await connection.fetchval(SQL["receiver_key"])
    return sealed


async def add_receiver_key(connection: Connection, sealed_private: bytes) -> None:
    """Keep the catalog's own key."""
    await connection.execute(SQL["add_receiver_key"], sealed_private)
