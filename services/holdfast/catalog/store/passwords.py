"""A repository's password while it is being changed: the next one, then the old one."""

from datetime import datetime
from uuid import UUID

import msgspec

from holdfast.catalog.store.destinations import SealedSecrets
from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import the_row, to_struct
from holdfast.catalog.store.sql import load

SQL = load("passwords")


class PasswordChange(msgspec.Struct, frozen=True, kw_only=True):
    """How far a change is; each password is sealed."""

    id: UUID
    """The destination's."""
    next_password: bytes | None
    """Not in use yet; keys may have been made with it."""
    old_password: bytes | None
    """Not in use any more; keys of it may be left."""

    @property
    def is_none(self) -> bool:
        """Whether nothing is being changed."""
        return self.next_password is None and self.old_password is None


async def change_of(connection: Connection, destination_id: UUID) -> PasswordChange:
    """How far the change is; nobody else goes on with it before the transaction ends."""
    return to_struct(
        the_row(await connection.fetchrow(SQL["change_of"], destination_id)), PasswordChange
    )


async def is_being_changed(connection: Connection, destination_id: UUID) -> bool:
    """Whether a run that changes it has not ended."""
    found: bool = await connection.fetchval(SQL["is_being_changed"], destination_id)
    return found


async def keep_next(connection: Connection, destination_id: UUID, sealed: bytes) -> None:
    """Keep the password that is to come, before anything is done with it."""
    await connection.execute(SQL["keep_next"], destination_id, sealed)


async def switch(
    connection: Connection, secrets: SealedSecrets, sealed_old: bytes, now: datetime
) -> None:
    """*secrets* open the destination from now on; the old password is kept beside them."""
    await connection.execute(SQL["switch"], secrets.id, secrets.sealed_secrets, sealed_old, now)


async def drop_old(connection: Connection, destination_id: UUID) -> None:
    """No key of the old password is left: nobody needs it any more."""
    await connection.execute(SQL["drop_old"], destination_id)
