"""Seal under a passphrase: for a file that leaves the house, and may be read anywhere.

scrypt makes the key, AES-256-GCM seals; the parameters and the salt travel with it.
"""

import msgspec

from holdfast.kernel.secret import Secret
from holdfast.secretbox.aead import seal, unseal
from holdfast.secretbox.errors import SealBrokenError, WrongPassphraseError
from holdfast.secretbox.keys import KdfParameters, passphrase_key


class PassphraseSealed(msgspec.Struct, frozen=True, kw_only=True):
    """What only the passphrase opens."""

    kdf: KdfParameters
    sealed: bytes
    """Nonce, ciphertext and tag."""


def seal_with_passphrase(passphrase: Secret, plaintext: bytes, purpose: str) -> PassphraseSealed:
    """Takes about half a second and 128 MiB, so call it in a thread.

    Raises EmptyPassphraseError.
    """
    parameters = KdfParameters.generate()
    key = passphrase_key(passphrase, parameters)
    return PassphraseSealed(kdf=parameters, sealed=seal(key, plaintext, _bound(purpose)))


def open_with_passphrase(passphrase: Secret, sealed: PassphraseSealed, purpose: str) -> bytes:
    """What was sealed; as slow as sealing.

    Raises EmptyPassphraseError; WrongPassphraseError, also when the file was changed, for the
    two look alike; and KdfParametersError when the parameters would make guessing cheap, or take
    all the memory.
    """
    key = passphrase_key(passphrase, sealed.kdf)
    try:
        return unseal(key, sealed.sealed, _bound(purpose))
    except SealBrokenError as error:
        raise WrongPassphraseError from error


def _bound(purpose: str) -> bytes:
    return b"holdfast passphrase 1\0" + purpose.encode()
