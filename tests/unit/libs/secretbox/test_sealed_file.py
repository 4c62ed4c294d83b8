"""What a passphrase seals opens with it, for its purpose, and with nothing else."""

import msgspec
import pytest

from holdfast.kernel.secret import Secret
from holdfast.secretbox.errors import (
    EmptyPassphraseError,
    KdfParametersError,
    WrongPassphraseError,
)
from holdfast.secretbox.sealed_file import (
    PassphraseSealed,
    open_with_passphrase,
    seal_with_passphrase,
)

PASSPHRASE = Secret("correct horse battery staple")


@pytest.fixture(scope="module")
def sealed() -> PassphraseSealed:
    return seal_with_passphrase(PASSPHRASE, b"the secrets", "export")


def test_it_opens_with_the_passphrase_after_a_trip_through_json(sealed: PassphraseSealed) -> None:
    text = msgspec.json.encode(sealed)

    again = msgspec.json.decode(text, type=PassphraseSealed)

    assert b"the secrets" not in text
    assert open_with_passphrase(PASSPHRASE, again, "export") == b"the secrets"


@pytest.mark.parametrize(
    ("passphrase", "purpose"),
    [(Secret("correct horse battery stable"), "export"), (PASSPHRASE, "another")],
)
def test_nothing_else_opens_it(sealed: PassphraseSealed, passphrase: Secret, purpose: str) -> None:
    with pytest.raises(WrongPassphraseError):
        open_with_passphrase(passphrase, sealed, purpose)


def test_a_changed_byte_is_found_out(sealed: PassphraseSealed) -> None:
    changed = bytes([sealed.sealed[0] ^ 1]) + sealed.sealed[1:]

    with pytest.raises(WrongPassphraseError):
        open_with_passphrase(PASSPHRASE, msgspec.structs.replace(sealed, sealed=changed), "export")


def test_parameters_that_make_guessing_cheap_are_refused(sealed: PassphraseSealed) -> None:
    cheap = msgspec.structs.replace(sealed, kdf=msgspec.structs.replace(sealed.kdf, n=2))

    with pytest.raises(KdfParametersError):
        open_with_passphrase(PASSPHRASE, cheap, "export")


def test_an_empty_passphrase_seals_nothing() -> None:
    with pytest.raises(EmptyPassphraseError):
        seal_with_passphrase(Secret(""), b"the secrets", "export")
