"""What is sealed to a receiver is for it alone, and for one purpose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.secretbox.envelope import ReceiverKey, seal_to
from holdfast.secretbox.errors import InvalidPublicKeyError, SealBrokenError

RECEIVER = ReceiverKey.generate()


@given(plaintext=st.binary(max_size=300), purpose=st.text(min_size=1, max_size=50))
def test_the_receiver_opens_it(plaintext: bytes, purpose: str) -> None:
    assert RECEIVER.open(seal_to(RECEIVER.public, plaintext, purpose), purpose) == plaintext


def test_another_receiver_does_not() -> None:
    blob = seal_to(RECEIVER.public, b"secret", "claim")

    with pytest.raises(SealBrokenError):
        ReceiverKey.generate().open(blob, "claim")


def test_another_purpose_does_not() -> None:
    blob = seal_to(RECEIVER.public, b"secret", "claim:1")

    with pytest.raises(SealBrokenError):
        RECEIVER.open(blob, "claim:2")


def test_no_byte_can_be_changed_or_cut_off() -> None:
    blob = seal_to(RECEIVER.public, b"secret", "claim")

    for position in range(len(blob)):
        for bit in (0x01, 0x80):
            changed = bytearray(blob)
            changed[position] ^= bit
            with pytest.raises(SealBrokenError):
                RECEIVER.open(bytes(changed), "claim")
    for length in range(len(blob)):
        with pytest.raises(SealBrokenError):
            RECEIVER.open(blob[:length], "claim")
    with pytest.raises(SealBrokenError):
        RECEIVER.open(blob + b"\0", "claim")


@given(noise=st.binary(max_size=120))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(SealBrokenError):
        RECEIVER.open(noise, "claim")


def test_a_point_that_gives_everybody_the_same_secret_is_refused() -> None:
    with pytest.raises(SealBrokenError):
        RECEIVER.open(b"\x01" + b"\0" * 32 + b"x" * 40, "claim")
    with pytest.raises(InvalidPublicKeyError):
        seal_to(b"\0" * 32, b"secret", "claim")


@pytest.mark.parametrize("public", [b"", b"x" * 31, b"x" * 33])
def test_what_is_no_public_key_is_refused(public: bytes) -> None:
    with pytest.raises(InvalidPublicKeyError):
        seal_to(public, b"secret", "claim")


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    blobs = {seal_to(RECEIVER.public, b"secret", "claim") for _ in range(20)}

    assert len(blobs) == 20
    assert not any(b"secret" in blob for blob in blobs)


def test_a_receiver_that_was_stored_opens_what_was_sealed_before() -> None:
    blob = seal_to(RECEIVER.public, b"secret", "claim")

    stored = ReceiverKey(RECEIVER.private_bytes())

    assert stored.public == RECEIVER.public
    assert stored.open(blob, "claim") == b"secret"


def test_a_receiver_does_not_show_its_private_half() -> None:
    assert RECEIVER.private_bytes().hex() not in repr(RECEIVER)
