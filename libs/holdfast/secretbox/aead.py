"""AES-256-GCM with a fresh random nonce in front: the one way this package seals."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from holdfast.secretbox.errors import SealBrokenError

KEY = 32
NONCE = 12
TAG = 16


def seal(key: bytes, plaintext: bytes, bound: bytes) -> bytes:
    """Nonce, ciphertext and tag.  Only together with *bound* does it open again."""
    # Random 96-bit nonces are safe for 2**32 messages under one key; a house seals thousands.
    nonce = os.urandom(NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, bound)


def unseal(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    """What ``seal`` was given.  Raises SealBrokenError if anything differs."""
    if len(sealed) < NONCE + TAG:
        raise SealBrokenError
    try:
        return AESGCM(key).decrypt(sealed[:NONCE], sealed[NONCE:], bound)
    except InvalidTag as error:
        raise SealBrokenError from error


def derive(secret: bytes, *, info: bytes, length: int = KEY, salt: bytes | None = None) -> bytes:
    """A key of its own for one use (HKDF with SHA-256, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)
