"""Seal a text under a passphrase, so that a browser alone can open it again.

A browser has PBKDF2 and AES-GCM (WebCrypto) and no memory-hard function, so the iterations
carry the weight: OWASP's number for PBKDF2-HMAC-SHA256.
"""

import os
import unicodedata

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from holdfast.kernel.secret import Secret
from holdfast.secretbox.aead import KEY, seal, unseal
from holdfast.secretbox.errors import EmptyPassphraseError, SealBrokenError, WrongPassphraseError

ITERATIONS = 600_000
MOST_ITERATIONS = 100_000_000
"""A file that asks for more would only keep the machine busy."""
BOUND = b"holdfast sealed text 1"
SALT = 16


class SealedText(msgspec.Struct, frozen=True, kw_only=True):
    """A text that a passphrase opens; bytes are base64 in JSON."""

    kdf: str = "PBKDF2-HMAC-SHA256"
    iterations: int
    salt: bytes
    cipher: str = "AES-256-GCM"
    sealed: bytes
    """Nonce (12 bytes), ciphertext, tag (16); bound to ``holdfast sealed text 1``."""


def seal_text(text: str, passphrase: Secret) -> SealedText:
    """*text* for whoever knows *passphrase*.  Takes a fifth of a second, so call it in a thread.

    Raises EmptyPassphraseError.
    """
    salt = os.urandom(SALT)
    key = _key(passphrase, salt, ITERATIONS)
    return SealedText(iterations=ITERATIONS, salt=salt, sealed=seal(key, text.encode(), BOUND))


def open_text(sealed: SealedText, passphrase: Secret) -> str:
    """What was sealed.  Raises WrongPassphraseError."""
    if not 0 < sealed.iterations <= MOST_ITERATIONS:
        raise WrongPassphraseError
    try:
        key = _key(passphrase, sealed.salt, sealed.iterations)
        return unseal(key, sealed.sealed, BOUND).decode()
    except SealBrokenError as error:
        raise WrongPassphraseError from error


def _key(passphrase: Secret, salt: bytes, iterations: int) -> bytes:
    # A browser does the same: String.normalize("NFC").
    text = unicodedata.normalize("NFC", passphrase.reveal())
    if not text:
        raise EmptyPassphraseError
    return PBKDF2HMAC(algorithm=SHA256(), length=KEY, salt=salt, iterations=iterations).derive(
        text.encode()
    )
