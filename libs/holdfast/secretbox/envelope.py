"""Seal to a receiver's public key: how secrets travel over the bus.

Each envelope has a key pair of its own (X25519); both public keys and the purpose go into
the key (HKDF-SHA256) and are authenticated (AES-256-GCM).  Who hears the bus, or copies the
stream's files, learns the length.  An envelope does not say who sealed it: anybody who has
the public key can, so what is inside is judged like any other input.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from holdfast.secretbox.aead import KEY, NONCE, TAG, derive
from holdfast.secretbox.errors import InvalidPublicKeyError, SealBrokenError

VERSION = 1
PUBLIC = 32
HEADER = 1 + PUBLIC


class ReceiverKey:
    """A key pair that envelopes are sealed to.  The private half prints as nothing."""

    __slots__ = ("_private", "public")

    def __init__(self, private: bytes) -> None:
        """*private*: the 32 bytes of ``private_bytes``."""
        self._private = X25519PrivateKey.from_private_bytes(private)
        self.public: bytes = self._private.public_key().public_bytes_raw()
        """32 bytes, for anybody."""

    @staticmethod
    def generate() -> "ReceiverKey":
        """A new one, in memory only."""
        return ReceiverKey(X25519PrivateKey.generate().private_bytes_raw())

    def private_bytes(self) -> bytes:
        """The private half, for a receiver that must survive a restart: seal it to store it."""
        return self._private.private_bytes_raw()

    def open(self, blob: bytes, purpose: str) -> bytes:
        """What was sealed to this key for *purpose*.  Raises SealBrokenError."""
        if len(blob) < HEADER + TAG or blob[0] != VERSION:
            raise SealBrokenError
        header, sealed = blob[:HEADER], blob[HEADER:]
        ephemeral = header[1:]
        try:
            shared = self._private.exchange(X25519PublicKey.from_public_bytes(ephemeral))
        except ValueError as error:  # a point that gives every receiver the same secret
            raise SealBrokenError from error
        key, nonce = _once(shared, ephemeral, self.public, purpose)
        try:
            return AESGCM(key).decrypt(nonce, sealed, _bound(header, self.public, purpose))
        except InvalidTag as error:
            raise SealBrokenError from error

    def __repr__(self) -> str:
        return f"ReceiverKey({self.public.hex()[:16]})"


def seal_to(public: bytes, plaintext: bytes, purpose: str) -> bytes:
    """*plaintext* for the holder of *public* alone, and for *purpose* alone.

    Raises InvalidPublicKeyError.
    """
    one_time = X25519PrivateKey.generate()
    try:
        shared = one_time.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise InvalidPublicKeyError from error
    ephemeral = one_time.public_key().public_bytes_raw()
    header = bytes([VERSION]) + ephemeral
    key, nonce = _once(shared, ephemeral, public, purpose)
    return header + AESGCM(key).encrypt(nonce, plaintext, _bound(header, public, purpose))


def _once(shared: bytes, ephemeral: bytes, public: bytes, purpose: str) -> tuple[bytes, bytes]:
    """Key and nonce.  The key seals one message only, so its nonce may be derived with it."""
    if not purpose:
        raise ValueError("an envelope is sealed for a purpose")
    info = b"holdfast envelope 1\0" + purpose.encode()
    made = derive(shared, info=info, length=KEY + NONCE, salt=ephemeral + public)
    return made[:KEY], made[KEY:]


def _bound(header: bytes, public: bytes, purpose: str) -> bytes:
    return header + public + purpose.encode()
