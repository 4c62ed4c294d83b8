"""The master key from a token: the same each time, and from no other token, key or PIN."""

from pathlib import Path

import pytest

from holdfast.secretbox.token_key import (
    TokenAccess,
    TokenError,
    TokenKeyMissingError,
    TokenParameters,
    TokenPinError,
    make_token_key,
    master_key_of_token,
)
from support.token import SoftToken


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftToken:
    made = SoftToken(tmp_path / "token")
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


def test_it_answers_a_challenge_always_in_the_same_way(token: SoftToken) -> None:
    access, parameters = token.access(), TokenParameters.generate()
    make_token_key(access)
    first = master_key_of_token(access, parameters)
    make_token_key(access)

    assert master_key_of_token(access, parameters).id == first.id
    assert master_key_of_token(access, TokenParameters.generate()).id != first.id
    other = token.access(key="another")
    make_token_key(other)
    assert master_key_of_token(other, parameters).id != first.id


def test_a_wrong_pin_a_missing_key_and_a_pulled_token_are_told_apart(token: SoftToken) -> None:
    parameters = TokenParameters.generate()
    make_token_key(token.access())

    with pytest.raises(TokenPinError):
        master_key_of_token(token.access(pin="0000"), parameters)
    with pytest.raises(TokenKeyMissingError, match="'nothing'"):
        master_key_of_token(token.access(key="nothing"), parameters)
    with pytest.raises(TokenError, match="no token of that label"):
        master_key_of_token(token.access(token="elsewhere"), parameters)
    token.tokens.rename(token.tokens.with_name("pulled"))
    with pytest.raises(TokenError):
        master_key_of_token(token.access(), parameters)


def test_what_is_no_library_is_told(tmp_path: Path) -> None:
    access = TokenAccess(
        module=tmp_path / "none.so", token="t", key="k", pin=SoftToken(tmp_path / "x").access().pin
    )

    with pytest.raises(TokenError):
        master_key_of_token(access, TokenParameters.generate())


def test_the_key_cannot_be_read_out(token: SoftToken) -> None:
    import pkcs11

    make_token_key(token.access())
    found = pkcs11.lib(str(token.module)).get_token(token_label=token.label)
    with found.open(user_pin="9876") as session:
        key = session.get_key(label="holdfast", object_class=pkcs11.ObjectClass.SECRET_KEY)
        with pytest.raises(pkcs11.exceptions.AttributeSensitive):
            key[pkcs11.Attribute.VALUE]
