"""A sealed secret opens in its own row, unchanged, and nowhere else."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.kernel.ids import new_id
from holdfast.secretbox.box import DataKey, SecretBox, data_key_id_of, row_purpose
from holdfast.secretbox.errors import SealBrokenError, UnknownDataKeyError

ROW = UUID("0190a000-0000-7000-8000-000000000001")
PURPOSE = row_purpose("destination", "sealed_secrets", ROW)
KEY = DataKey.generate()
BOX = SecretBox(KEY)


@given(plaintext=st.binary(max_size=300), purpose=st.text(min_size=1, max_size=50))
def test_what_is_sealed_opens_for_the_same_purpose(plaintext: bytes, purpose: str) -> None:
    assert BOX.open(BOX.seal(plaintext, purpose=purpose), purpose=purpose) == plaintext


def test_text_is_sealed_as_utf_8() -> None:
    assert BOX.open(BOX.seal("pässword", purpose=PURPOSE), purpose=PURPOSE) == "pässword".encode()


@pytest.mark.parametrize(
    "purpose",
    [
        row_purpose("destination", "sealed_secrets", new_id()),
        row_purpose("destination", "other", ROW),
        row_purpose("device", "sealed_secrets", ROW),
    ],
)
def test_a_seal_that_is_moved_to_another_place_does_not_open(purpose: str) -> None:
    sealed = BOX.seal(b"secret", purpose=PURPOSE)

    with pytest.raises(SealBrokenError):
        BOX.open(sealed, purpose=purpose)


def test_no_byte_of_a_seal_can_be_changed() -> None:
    sealed = BOX.seal(b"secret", purpose=PURPOSE)

    for position in range(len(sealed)):
        for bit in (0x01, 0x80):
            changed = bytearray(sealed)
            changed[position] ^= bit
            with pytest.raises(SealBrokenError):
                BOX.open(bytes(changed), purpose=PURPOSE)


def test_no_shorter_or_longer_seal_opens() -> None:
    sealed = BOX.seal(b"secret", purpose=PURPOSE)

    for length in range(len(sealed)):
        with pytest.raises(SealBrokenError):
            BOX.open(sealed[:length], purpose=PURPOSE)
    with pytest.raises(SealBrokenError):
        BOX.open(sealed + b"\0", purpose=PURPOSE)


def test_another_data_key_does_not_open_it_even_under_the_same_id() -> None:
    sealed = BOX.seal(b"secret", purpose=PURPOSE)

    with pytest.raises(UnknownDataKeyError):
        SecretBox(DataKey.generate()).open(sealed, purpose=PURPOSE)
    with pytest.raises(SealBrokenError):
        SecretBox(DataKey(KEY.id, b"\0" * 32)).open(sealed, purpose=PURPOSE)


def test_a_seal_names_its_data_key() -> None:
    assert data_key_id_of(BOX.seal(b"secret", purpose=PURPOSE)) == KEY.id == BOX.data_key_id


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    seals = {BOX.seal(b"secret", purpose=PURPOSE) for _ in range(50)}

    assert len(seals) == 50
    assert not any(b"secret" in sealed for sealed in seals)


def test_a_purpose_must_be_named() -> None:
    with pytest.raises(ValueError, match="purpose"):
        BOX.seal(b"secret", purpose="")


def test_a_key_does_not_show_itself() -> None:
    shown = repr(KEY) + str(KEY) + repr(BOX)

    assert KEY.material.hex() not in shown
    assert repr(KEY.material) not in shown
