"""The commands about keys: who may run them, and what they take."""

import os
from pathlib import Path

import pytest

from holdfast.catalog.master_key import FileSource, PassphraseSource, TokenSource
from holdfast.cli.keys import OtherUserError, Wanted, check_user, new_source
from holdfast.kernel.errors import InvalidRequestError
from holdfast.kernel.secret import Secret
from holdfast.settings import Settings


def wanted(kind: str, **changes: object) -> Wanted:
    values: dict[str, object] = {
        "kind": kind,
        "key_file": None,
        "passphrase_file": None,
        "module": None,
        "token": "house",
        "key": "holdfast",
        "pin_file": None,
    }
    return Wanted(**(values | changes))  # type: ignore[arg-type] - as the command line gives them


def test_root_does_not_leave_files_that_holdfast_cannot_open(tmp_path: Path) -> None:
    check_user(tmp_path, os.geteuid())
    check_user(tmp_path / "not made yet", os.geteuid())

    with pytest.raises(OtherUserError, match="sudo -u") as caught:
        check_user(tmp_path, os.geteuid() + 1)
    assert f"#{os.geteuid()}" in caught.value.hint


def test_each_kind_is_taken_with_what_is_to_be_set_for_it(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    secret = tmp_path / "secret"
    secret.write_text("one two three\nnot this\n")

    source, advice = new_source(settings, wanted("file"))
    assert (source, advice) == (FileSource(tmp_path / "master-key"), "")
    source, advice = new_source(settings, wanted("file", key_file=tmp_path / "else"))
    assert f"HOLDFAST_MASTER_KEY_FILE={tmp_path / 'else'}" in advice
    source, advice = new_source(settings, wanted("passphrase", passphrase_file=secret))
    assert source == PassphraseSource(Secret("one two three"))
    assert "one two three" not in advice
    source, advice = new_source(settings, wanted("pkcs11", module=secret, pin_file=secret))
    assert isinstance(source, TokenSource)
    assert source.access.pin == Secret("one two three")
    assert f"HOLDFAST_PKCS11_MODULE={secret}" in advice
    assert "one two three" not in advice


def test_who_leaves_a_passphrase_for_a_file_is_told_to_unset_it(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, master_passphrase=Secret("x"))

    assert "Unset HOLDFAST_MASTER_PASSPHRASE" in new_source(settings, wanted("file"))[1]


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    with pytest.raises(InvalidRequestError, match="--module"):
        new_source(Settings(data=tmp_path), wanted("pkcs11"))
    with pytest.raises(InvalidRequestError, match="first line"):
        new_source(
            Settings(data=tmp_path), wanted("passphrase", passphrase_file=tmp_path / "empty")
        )
