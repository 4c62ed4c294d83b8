"""The master key, from a file or a passphrase, and the data keys that it wraps.

Rotation wraps the few data keys again; no sealed row is touched.
"""

import os
import unicodedata
from enum import StrEnum
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from holdfast.kernel.secret import Secret
from holdfast.secretbox.aead import KEY, derive, seal, unseal
from holdfast.secretbox.box import DataKey
from holdfast.secretbox.errors import (
    EmptyPassphraseError,
    KdfParametersError,
    MasterKeyFileError,
    SealBrokenError,
    WrongMasterKeyError,
)
from holdfast.secretbox.key_file import load_key_file as _load
from holdfast.secretbox.key_file import load_or_create_key_file as _load_or_create

VERSION = 1
KEY_ID = 8
LEAST_SALT = 16
LEAST_EFFORT = 1 << 14
"""Smallest N * p that is acceptable: a changed row must not make guessing cheap."""
MOST_MEMORY = 1 << 30
"""Bytes.  A changed row must not make a start take all the memory either."""


class MasterKeyKind(StrEnum):
    """Where a master key comes from."""

    FILE = "file"
    PASSPHRASE = "passphrase"  # noqa: S105 - a kind, not a passphrase
    PKCS11 = "pkcs11"


class KdfParameters(msgspec.Struct, frozen=True, kw_only=True, tag="kdf"):
    """How a passphrase becomes the master key.  Not secret, but without it the key is lost."""

    salt: bytes
    algorithm: str = "scrypt"
    n: int = 1 << 17
    r: int = 8
    p: int = 1
    """By default 128 MiB and about half a second a guess (OWASP's choice for scrypt)."""

    @staticmethod
    def generate() -> "KdfParameters":
        """The present choice, with a new salt."""
        return KdfParameters(salt=os.urandom(32))


class WrappedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A data key as it may be stored."""

    id: UUID
    """The data key's."""
    master_key_id: str
    wrapped: bytes


class MasterKey:
    """What opens everything else.  It is in memory only, and prints as its id."""

    __slots__ = ("_wrapping", "id")

    def __init__(self, material: bytes) -> None:
        if len(material) != KEY:
            raise MasterKeyFileError(f"The master key has {len(material)} bytes, not {KEY}.")
        self.id = derive(material, info=b"holdfast master key id", length=KEY_ID).hex()
        """Tells master keys apart and reveals nothing of them."""
        self._wrapping = derive(material, info=b"holdfast master key wraps data keys")

    @staticmethod
    def from_passphrase(passphrase: Secret, parameters: KdfParameters) -> "MasterKey":
        """Takes about half a second and 128 MiB, so call it in a thread.

        Raises EmptyPassphraseError and KdfParametersError.  A wrong passphrase makes
        another key; ``unwrap`` finds that out.
        """
        return MasterKey(passphrase_key(passphrase, parameters))

    def wrap(self, data_key: DataKey) -> WrappedKey:
        """*data_key*, to be stored."""
        sealed = seal(self._wrapping, data_key.material, self._bound(data_key.id))
        return WrappedKey(id=data_key.id, master_key_id=self.id, wrapped=bytes([VERSION]) + sealed)

    def unwrap(self, wrapped: WrappedKey) -> DataKey:
        """The data key in *wrapped*.

        Raises WrongMasterKeyError if another master key wrapped it, and SealBrokenError
        if the stored bytes were changed.
        """
        if wrapped.master_key_id != self.id:
            raise WrongMasterKeyError(
                f"The data keys were wrapped by the master key {wrapped.master_key_id}, "
                f"and this one is {self.id}."
            )
        if wrapped.wrapped[:1] != bytes([VERSION]):
            raise SealBrokenError
        material = unseal(self._wrapping, wrapped.wrapped[1:], self._bound(wrapped.id))
        return DataKey(wrapped.id, material)

    def _bound(self, data_key_id: UUID) -> bytes:
        return b"holdfast data key\0" + bytes.fromhex(self.id) + data_key_id.bytes

    def __repr__(self) -> str:
        return f"MasterKey({self.id})"


def passphrase_key(passphrase: Secret, parameters: KdfParameters) -> bytes:
    """The key that *passphrase* stands for; as slow as ``MasterKey.from_passphrase``.

    Raises EmptyPassphraseError and KdfParametersError.
    """
    _acceptable(parameters)
    # The same text typed on another system may come in another Unicode form.
    text = unicodedata.normalize("NFC", passphrase.reveal())
    if not text:
        raise EmptyPassphraseError
    kdf = Scrypt(salt=parameters.salt, length=KEY, n=parameters.n, r=parameters.r, p=parameters.p)
    return kdf.derive(text.encode())


def load_or_create_key_file(path: str | os.PathLike[str]) -> MasterKey:
    """The master key in the file *path*, which is made (mode 0600) if it is missing.

    For a first start.  Once data keys exist, use ``load_key_file``: a new key opens none
    of them.  Raises MasterKeyFileError.
    """
    return MasterKey(_load_or_create(path))


def load_key_file(path: str | os.PathLike[str]) -> MasterKey:
    """The master key in the file *path*.  Raises MasterKeyFileError, also if it is missing."""
    return MasterKey(_load(path))


def rewrap(wrapped: WrappedKey, *, old: MasterKey, new: MasterKey) -> WrappedKey:
    """The same data key under a new master key.

    One that *new* wrapped already comes back as it is, so that a rotation that was broken
    off can be done again.
    """
    if wrapped.master_key_id == new.id:
        new.unwrap(wrapped)
        return wrapped
    return new.wrap(old.unwrap(wrapped))


def _acceptable(parameters: KdfParameters) -> None:
    n, r, p = parameters.n, parameters.r, parameters.p
    possible = n > 1 and n & (n - 1) == 0 and r >= 8 and 1 <= p <= 16
    if parameters.algorithm != "scrypt" or not possible:
        raise KdfParametersError
    if n * p < LEAST_EFFORT or 128 * n * r > MOST_MEMORY or len(parameters.salt) < LEAST_SALT:
        raise KdfParametersError
