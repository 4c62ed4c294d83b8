"""Texts under a passphrase."""

import pytest
from msgspec.structs import replace

from holdfast.kernel.secret import Secret
from holdfast.secretbox.errors import EmptyPassphraseError, WrongPassphraseError
from holdfast.secretbox.passphrase import (
    ITERATIONS,
    open_text,
    seal_text,
)

SEALED = seal_text("what is kept", Secret("gr\u00fc\u00dfe"))


def test_it_opens_however_the_letters_are_composed() -> None:
    assert open_text(SEALED, Secret("gr\u00fc\u00dfe")) == "what is kept"
    assert open_text(SEALED, Secret("gru\u0308\u00dfe")) == "what is kept"


def test_no_two_are_alike_and_each_says_what_opening_costs() -> None:
    again = seal_text("what is kept", Secret("gr\u00fc\u00dfe"))

    assert again.salt != SEALED.salt
    assert again.sealed[12:] != SEALED.sealed[12:]
    assert again.iterations == ITERATIONS >= 600_000


@pytest.mark.parametrize(
    "changed",
    [
        {"sealed": SEALED.sealed[:-1] + bytes([SEALED.sealed[-1] ^ 1])},
        {"sealed": b"short"},
        {"salt": b"another salt 123"},
        {"iterations": ITERATIONS - 1},
        {"iterations": 0},
        {"iterations": 10**12},
    ],
    ids=str,
)
def test_what_was_changed_does_not_open(changed: dict[str, object]) -> None:
    with pytest.raises(WrongPassphraseError):
        open_text(replace(SEALED, **changed), Secret("gr\u00fc\u00dfe"))


def test_another_passphrase_and_none_at_all() -> None:
    with pytest.raises(WrongPassphraseError):
        open_text(SEALED, Secret("GR\u00dc\u00dfE"))
    with pytest.raises(EmptyPassphraseError):
        seal_text("what is kept", Secret(""))
