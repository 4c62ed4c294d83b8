"""The master key: made once, found again, and the only one that opens what it wrapped."""

import threading
from pathlib import Path

import msgspec
import pytest

from holdfast.kernel.secret import Secret
from holdfast.secretbox.box import DataKey
from holdfast.secretbox.errors import (
    EmptyPassphraseError,
    KdfParametersError,
    MasterKeyFileError,
    MasterKeyFileMissingError,
    SealBrokenError,
    WrongMasterKeyError,
)
from holdfast.secretbox.keys import (
    KdfParameters,
    MasterKey,
    WrappedKey,
    load_key_file,
    load_or_create_key_file,
    rewrap,
)

QUICK = KdfParameters(salt=b"0123456789abcdef", n=1 << 14)
MASTER = MasterKey(b"m" * 32)


def test_the_file_is_made_once_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "data" / "master-key"

    first = load_or_create_key_file(path)
    again = load_or_create_key_file(path)

    assert first.id == again.id == load_key_file(path).id
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_bytes()) == 32
    assert [each.name for each in path.parent.iterdir()] == ["master-key"]


def test_all_that_start_together_get_the_same_key(tmp_path: Path) -> None:
    path = tmp_path / "master-key"
    barrier = threading.Barrier(8)
    ids: list[str] = []

    def start() -> None:
        barrier.wait()
        ids.append(load_or_create_key_file(path).id)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(ids) == 8
    assert len(set(ids)) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["master-key"]


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 31, b"x" * 33])
def test_a_damaged_file_is_told_of_and_never_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "master-key"
    path.write_bytes(content)

    with pytest.raises(MasterKeyFileError):
        load_or_create_key_file(path)

    assert path.read_bytes() == content


def test_a_missing_file_is_not_made_when_it_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(MasterKeyFileMissingError):
        load_key_file(tmp_path / "master-key")

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_made_is_told_of_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(MasterKeyFileError, match="file/master-key"):
        load_or_create_key_file(tmp_path / "file" / "master-key")


def test_nothing_is_left_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)

    with pytest.raises(MasterKeyFileError):
        load_or_create_key_file(tmp_path / "master-key")

    assert list(tmp_path.iterdir()) == []


def test_a_passphrase_makes_the_same_key_again_and_only_with_its_salt() -> None:
    stored = msgspec.convert(msgspec.to_builtins(QUICK), KdfParameters)
    other = msgspec.structs.replace(QUICK, salt=b"another salt 16b")

    first = MasterKey.from_passphrase(Secret("correct horse"), QUICK)

    assert MasterKey.from_passphrase(Secret("correct horse"), stored).id == first.id
    assert MasterKey.from_passphrase(Secret("correct horsf"), QUICK).id != first.id
    assert MasterKey.from_passphrase(Secret("correct horse"), other).id != first.id


def test_a_passphrase_is_the_same_however_its_letters_are_composed() -> None:
    composed, decomposed = Secret("sch\u00f6n"), Secret("scho\u0308n")

    assert (
        MasterKey.from_passphrase(composed, QUICK).id
        == MasterKey.from_passphrase(decomposed, QUICK).id
    )


def test_new_parameters_are_strong_and_their_salt_is_new() -> None:
    first, second = KdfParameters.generate(), KdfParameters.generate()

    assert first.salt != second.salt
    assert (first.n, first.r, first.p, len(first.salt)) == (1 << 17, 8, 1, 32)
    assert MasterKey.from_passphrase(Secret("a passphrase"), first).id


@pytest.mark.parametrize(
    "changes",
    [
        {"n": 2}, {"n": 0}, {"n": -4}, {"n": (1 << 14) + 1}, {"n": 1 << 40},
        {"r": 0}, {"r": 1}, {"r": 1 << 30}, {"p": 0}, {"p": 1000},
        {"salt": b"short"}, {"algorithm": "md5"},
    ],
)  # fmt: skip
def test_stored_parameters_that_are_weak_or_absurd_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(KdfParametersError):
        MasterKey.from_passphrase(
            Secret("correct horse"), msgspec.structs.replace(QUICK, **changes)
        )


def test_an_empty_passphrase_is_refused() -> None:
    with pytest.raises(EmptyPassphraseError):
        MasterKey.from_passphrase(Secret(""), QUICK)


def test_a_wrapped_key_opens_again() -> None:
    key = DataKey.generate()

    opened = MASTER.unwrap(MASTER.wrap(key))

    assert (opened.id, opened.material) == (key.id, key.material)


def test_another_master_key_is_told_apart_with_what_to_do() -> None:
    wrapped = MASTER.wrap(DataKey.generate())

    with pytest.raises(WrongMasterKeyError) as caught:
        MasterKey(b"o" * 32).unwrap(wrapped)

    assert MASTER.id in caught.value.message
    assert "passphrase" in caught.value.hint


def test_a_wrapped_key_opens_in_its_own_row_only() -> None:
    first, second = MASTER.wrap(DataKey.generate()), MASTER.wrap(DataKey.generate())

    with pytest.raises(SealBrokenError):
        MASTER.unwrap(msgspec.structs.replace(first, id=second.id))


def test_no_byte_of_a_wrapped_key_can_be_changed() -> None:
    wrapped = MASTER.wrap(DataKey.generate())

    for position in range(len(wrapped.wrapped)):
        changed = bytearray(wrapped.wrapped)
        changed[position] ^= 1
        with pytest.raises(SealBrokenError):
            MASTER.unwrap(msgspec.structs.replace(wrapped, wrapped=bytes(changed)))
    for length in range(len(wrapped.wrapped)):
        with pytest.raises(SealBrokenError):
            MASTER.unwrap(msgspec.structs.replace(wrapped, wrapped=wrapped.wrapped[:length]))


def test_rotation_wraps_again_and_can_be_done_twice() -> None:
    new = MasterKey(b"n" * 32)
    key = DataKey.generate()

    once = rewrap(MASTER.wrap(key), old=MASTER, new=new)
    twice = rewrap(once, old=MASTER, new=new)

    assert twice == once
    assert new.unwrap(once).material == key.material
    with pytest.raises(WrongMasterKeyError):
        MASTER.unwrap(once)


def test_rotation_does_not_call_a_damaged_row_done() -> None:
    wrapped = MASTER.wrap(DataKey.generate())
    lying = WrappedKey(
        id=wrapped.id, master_key_id=MasterKey(b"n" * 32).id, wrapped=wrapped.wrapped
    )

    with pytest.raises(SealBrokenError):
        rewrap(lying, old=MASTER, new=MasterKey(b"n" * 32))


def test_a_master_key_prints_as_its_id_only() -> None:
    assert repr(MASTER) == f"MasterKey({MASTER.id})"
    assert len(MASTER.id) == 16
