"""The catalog's keys, and the secrets of destinations sealed under them.

The master key comes from outside (a file or a passphrase) and wraps the data keys, which are
rows; the data keys seal everything else.  A copy of the database alone opens nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import asyncpg
import msgspec

from holdfast.catalog.master_key import find_master_key, make_master_key, source_of
from holdfast.catalog.store import keys
from holdfast.catalog.store.destinations import SealedSecrets
from holdfast.catalog.store.passwords import PasswordChange
from holdfast.catalog.store.pool import Connection, transaction
from holdfast.events.portable import SECRETS_PURPOSE, Secrets
from holdfast.events.work import DestinationSecrets
from holdfast.kernel.errors import InvalidRequestError
from holdfast.kernel.secret import Secret
from holdfast.secretbox.box import DataKey, SecretBox, data_key_id_of, row_purpose
from holdfast.secretbox.envelope import ReceiverKey
from holdfast.secretbox.errors import SealBrokenError, UnknownDataKeyError
from holdfast.secretbox.keys import MasterKey
from holdfast.settings import Settings

T = TypeVar("T")

ENVELOPE_PURPOSE = "destination-secrets"
"""What the gateway seals to the catalog is bound to."""

_NEXT = "next_password"
_OLD = "old_password"

RECEIVER_PURPOSE = row_purpose("receiver_key", "sealed_private", "only")


class Boxes:
    """One box a data key: the first seals, each opens what it sealed."""

    def __init__(self, data_keys: Sequence[DataKey]) -> None:
        self._boxes = {key.id: SecretBox(key) for key in data_keys}
        self._sealing = self._boxes[data_keys[0].id]

    def seal(self, plaintext: bytes, purpose: str) -> bytes:
        return self._sealing.seal(plaintext, purpose=purpose)

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """Raises SealBrokenError, or UnknownDataKeyError when the key's row is gone."""
        box = self._boxes.get(data_key_id_of(sealed))
        if box is None:
            raise UnknownDataKeyError
        return box.open(sealed, purpose=purpose)


class CatalogSecrets:
    """Seals and opens what the catalog keeps.  Made by ``open_secrets``."""

    def __init__(self, boxes: Boxes, receiver: ReceiverKey) -> None:
        self._boxes = boxes
        self._receiver = receiver

    @property
    def public_key(self) -> bytes:
        """What others seal to, before it goes on the bus."""
        return self._receiver.public

    def open_envelope(self, blob: bytes) -> DestinationSecrets:
        """What the gateway sealed to the catalog; nothing sealed is no secrets.

        InvalidRequestError when it was sealed to another key or is damaged.
        """
        if not blob:
            return DestinationSecrets(repo_password="")
        return self._opened(blob, ENVELOPE_PURPOSE, DestinationSecrets)

    def open_all(self, blob: bytes) -> Secrets:
        """The same for many destinations at once, as an import brings them."""
        return self._opened(blob, SECRETS_PURPOSE, Secrets) if blob else {}

    def _opened(self, blob: bytes, purpose: str, type_: type[T]) -> T:
        try:
            return msgspec.json.decode(self._receiver.open(blob, purpose), type=type_)
        except (SealBrokenError, msgspec.MsgspecError):
            # Without its cause: a decoder's words may quote what is inside.
            raise InvalidRequestError(
                "The sealed secrets of the request cannot be opened.",
                guidance="Ask the catalog for its public key and seal them again.",
            ) from None

    def seal_destination(self, destination_id: UUID, secrets: DestinationSecrets) -> SealedSecrets:
        """As they are stored: bound to the destination, so that another row cannot use them."""
        sealed = self._boxes.seal(msgspec.json.encode(secrets), _purpose(destination_id))
        return SealedSecrets(id=destination_id, sealed_secrets=sealed)

    def open_destination(self, sealed: SealedSecrets) -> DestinationSecrets:
        """What opens the destination.  Raises SealBrokenError."""
        plain = self._boxes.open(sealed.sealed_secrets, _purpose(sealed.id))
        return msgspec.json.decode(plain, type=DestinationSecrets)

    def seal_next_password(self, destination_id: UUID, password: Secret) -> bytes:
        """The password to come, for its column alone."""
        return self._boxes.seal(password.reveal().encode(), _purpose(destination_id, _NEXT))

    def next_password(self, change: PasswordChange) -> str:
        """The password to come; empty when there is none.  Raises SealBrokenError."""
        return self._password(change.next_password, _purpose(change.id, _NEXT))

    def seal_old_password(self, destination_id: UUID, password: str) -> bytes:
        """The password that was, for its column alone."""
        return self._boxes.seal(password.encode(), _purpose(destination_id, _OLD))

    def old_password(self, change: PasswordChange) -> str:
        """The password that was; empty when there is none.  Raises SealBrokenError."""
        return self._password(change.old_password, _purpose(change.id, _OLD))

    def _password(self, sealed: bytes | None, purpose: str) -> str:
        return "" if sealed is None else self._boxes.open(sealed, purpose).decode()

    def seal_device(self, device_id: UUID, secrets: DestinationSecrets) -> bytes:
        """What opens a device, bound to its row; of *secrets* the SSH part counts."""
        return self._boxes.seal(msgspec.json.encode(secrets), _device_purpose(device_id))

    def open_device(self, device_id: UUID, sealed: bytes) -> DestinationSecrets:
        """What opens the device.  Raises SealBrokenError."""
        plain = self._boxes.open(sealed, _device_purpose(device_id))
        return msgspec.json.decode(plain, type=DestinationSecrets)


async def open_secrets(pool: asyncpg.Pool, settings: Settings, now: datetime) -> CatalogSecrets:
    """The keys of this instance, made on the very first start.

    Any number of processes may start at once: one makes the keys, the others find them.
    Raises WrongMasterKeyError, MasterKeyFileError or TokenError: once secrets are there a
    new key would open none of them, so none is made.
    """
    source = source_of(settings)
    async with transaction(pool) as connection:
        await keys.lock_keys(connection)
        if await keys.count_data_keys(connection):
            master = await find_master_key(source, await keys.master_keys(connection))
        else:
            master, row = await make_master_key(source, now)
            await keys.add_master_key(connection, row)
        opened = [master.unwrap(row) for row in await keys.wrapped_keys(connection, master.id)]
        boxes = Boxes(opened or [await _first_data_key(connection, master, now)])
        receiver = await _receiver(connection, boxes)
    return CatalogSecrets(boxes, receiver)


async def _first_data_key(connection: Connection, master: MasterKey, now: datetime) -> DataKey:
    data_key = DataKey.generate()
    await keys.add_data_key(connection, master.wrap(data_key), now)
    return data_key


async def _receiver(connection: Connection, boxes: Boxes) -> ReceiverKey:
    """The catalog's own key; in a row, so that all its processes have the same one."""
    sealed = await keys.receiver_key(connection)
    if sealed is not None:
        return ReceiverKey(boxes.open(sealed, RECEIVER_PURPOSE))

    receiver = ReceiverKey.generate()
    await keys.add_receiver_key(connection, boxes.seal(receiver.private_bytes(), RECEIVER_PURPOSE))
    return receiver


def _device_purpose(device_id: UUID) -> str:
    return row_purpose("device", "sealed_secrets", device_id)


def _purpose(destination_id: UUID, column: str = "sealed_secrets") -> str:
    return row_purpose("destination", column, destination_id)
