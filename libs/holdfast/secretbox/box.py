"""Seal one secret of one row, so that it opens there and nowhere else."""

import os
from uuid import UUID

from holdfast.kernel.ids import new_id
from holdfast.secretbox.aead import KEY, seal, unseal
from holdfast.secretbox.errors import SealBrokenError, UnknownDataKeyError

VERSION = 1
HEADER = 1 + 16
"""Bytes in front: the version, and the data key's id."""


class DataKey:
    """A key that seals rows.  It rests wrapped by the master key only."""

    __slots__ = ("id", "material")

    def __init__(self, key_id: UUID, material: bytes) -> None:
        if len(material) != KEY:
            raise ValueError(f"a data key has {KEY} bytes")
        self.id = key_id
        self.material = material

    @staticmethod
    def generate() -> "DataKey":
        """A new one, with an id of its own."""
        return DataKey(new_id(), os.urandom(KEY))

    def __repr__(self) -> str:
        return f"DataKey({self.id})"


class SecretBox:
    """Seals and opens under one data key.

    A sealed secret is: version (1 byte), data key id (16), nonce (12), ciphertext and tag.
    """

    def __init__(self, data_key: DataKey) -> None:
        self._key = data_key

    @property
    def data_key_id(self) -> UUID:
        """Whose seals it opens."""
        return self._key.id

    def seal(self, plaintext: bytes | str, *, purpose: str) -> bytes:
        """Seal *plaintext*; only the same *purpose* opens it (see ``row_purpose``)."""
        data = plaintext.encode() if isinstance(plaintext, str) else plaintext
        header = bytes([VERSION]) + self._key.id.bytes
        return header + seal(self._key.material, data, _bound(header, purpose))

    def open(self, sealed: bytes, *, purpose: str) -> bytes:
        """What was sealed.

        Raises SealBrokenError if a byte or the purpose differs, and UnknownDataKeyError,
        which is one too, if another data key sealed it.
        """
        if data_key_id_of(sealed) != self._key.id:
            raise UnknownDataKeyError
        header = sealed[:HEADER]
        return unseal(self._key.material, sealed[HEADER:], _bound(header, purpose))

    def __repr__(self) -> str:
        return f"SecretBox({self._key.id})"


def row_purpose(table: str, column: str, row_id: object) -> str:
    """The purpose of a secret in a row: moved to any other place it does not open."""
    return f"{table}.{column}/{row_id}"


def data_key_id_of(sealed: bytes) -> UUID:
    """Which data key opens *sealed*.  Raises SealBrokenError if it is nothing of ours."""
    if len(sealed) < HEADER or sealed[0] != VERSION:
        raise SealBrokenError
    return UUID(bytes=sealed[1:HEADER])


def _bound(header: bytes, purpose: str) -> bytes:
    if not purpose:
        raise ValueError("a secret is sealed for a purpose")
    return b"holdfast row\0" + header + purpose.encode()
