"""A master key from a hardware token: PKCS#11, as HSMs, smart cards and SoftHSM 2 speak it.

An AES key is made in the token and never leaves it.  The master key is what the token makes
of a stored challenge (AES-CBC under that key, then HKDF): without the token and its PIN the
challenge says nothing, and a changed challenge makes another key, which is found out.  Only
AES-CBC is asked for, which nearly every token has; AES-GCM many have not.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.secret import Secret
from holdfast.secretbox.aead import KEY, derive
from holdfast.secretbox.keys import MasterKey

KEY_BITS = 256
BLOCK = 16


class TokenParameters(msgspec.Struct, frozen=True, kw_only=True, tag="token"):
    """How the token's answer becomes the master key.  Not secret."""

    challenge: bytes

    @staticmethod
    def generate() -> "TokenParameters":
        """A new challenge."""
        return TokenParameters(challenge=os.urandom(KEY))


class TokenAccess(msgspec.Struct, frozen=True, kw_only=True):
    """Where the token is, and what opens it."""

    module: Path
    """The maker's PKCS#11 library, such as /usr/lib/softhsm/libsofthsm2.so."""
    token: str
    """The token's label."""
    key: str
    """The label of the AES key in it."""
    pin: Secret


class TokenError(HoldfastError):
    """The hardware token cannot be used."""

    code = "token"
    guidance = "Check that it is plugged in, and HOLDFAST_PKCS11_MODULE, _TOKEN, _KEY and _PIN."


class TokenPinError(TokenError):
    """The token refuses the PIN."""

    code = "token_pin"
    guidance = "Set HOLDFAST_PKCS11_PIN right before the token locks itself after a few tries."


class TokenKeyMissingError(TokenError):
    """The token has no such AES key."""

    code = "token_key_missing"
    guidance = "Is it the right token? HOLDFAST_PKCS11_KEY is the label of the key."


def master_key_of_token(access: TokenAccess, parameters: TokenParameters) -> MasterKey:
    """The master key, by asking the token.  Blocks, so call it in a thread.

    Raises TokenError, TokenPinError or TokenKeyMissingError.
    """
    with _session(access) as (pkcs11, session):
        try:
            key = _find(pkcs11, session, access.key)
            answer = key.encrypt(
                parameters.challenge,
                mechanism=pkcs11.Mechanism.AES_CBC,
                mechanism_param=bytes(BLOCK),
            )
        except pkcs11.exceptions.PKCS11Error as error:
            raise _told(error) from error
    return MasterKey(derive(answer, info=b"holdfast master key of a token"))


def make_token_key(access: TokenAccess) -> None:
    """Have the token make the AES key, unless it has it.  Raises as ``master_key_of_token``."""
    with _session(access, write=True) as (pkcs11, session):
        try:
            _find(pkcs11, session, access.key)
        except TokenKeyMissingError:
            try:
                session.generate_key(
                    pkcs11.KeyType.AES,
                    KEY_BITS,
                    label=access.key,
                    store=True,
                    template={
                        pkcs11.Attribute.SENSITIVE: True,
                        pkcs11.Attribute.EXTRACTABLE: False,
                    },
                )
            except pkcs11.exceptions.PKCS11Error as error:
                raise _told(error) from error


def _find(pkcs11: Any, session: Any, label: str) -> Any:
    # Any: the package is loaded only where a token is used, see _session.
    try:
        return session.get_key(
            object_class=pkcs11.ObjectClass.SECRET_KEY,
            key_type=pkcs11.KeyType.AES,
            label=label,
        )
    except pkcs11.exceptions.NoSuchKey as error:
        raise TokenKeyMissingError(f"The token has no AES key {label!r}.") from error
    except pkcs11.exceptions.MultipleObjectsReturned as error:
        raise TokenError(f"The token has several AES keys {label!r}.") from error


@contextmanager
def _session(access: TokenAccess, *, write: bool = False) -> Iterator[tuple[Any, Any]]:
    import pkcs11  # here: whoever has no token need not have its library either

    try:
        library = pkcs11.lib(str(access.module))
        library.reinitialize()  # a token that was plugged in since is seen
        opened = library.get_token(token_label=access.token).open(
            rw=write, user_pin=access.pin.reveal()
        )
    except (pkcs11.exceptions.PKCS11Error, RuntimeError) as error:
        raise _told(error) from error
    with opened as session:
        yield pkcs11, session


def _told(error: Exception) -> TokenError:
    from pkcs11 import exceptions

    detail = str(error) or type(error).__name__
    if isinstance(error, exceptions.PinIncorrect | exceptions.PinLenRange | exceptions.PinInvalid):
        return TokenPinError(detail=detail)
    if isinstance(error, exceptions.PinLocked):
        return TokenPinError(
            "The token has locked its PIN.",
            guidance="Unlock it with its maker's tool and its security officer's PIN.",
            detail=detail,
        )
    if isinstance(error, exceptions.NoSuchToken):
        return TokenError("There is no token of that label.", detail=detail)
    return TokenError(detail=detail)
