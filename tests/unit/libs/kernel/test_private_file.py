"""Files that only we may read: whole or not there."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from holdfast.kernel.private_file import create_private, replace_private


def test_a_file_is_made_for_us_alone_and_nothing_else_stays(tmp_path: Path) -> None:
    create_private(tmp_path / "key", b"content")

    assert (tmp_path / "key").read_bytes() == b"content"
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_one_that_is_there_is_never_replaced_by_create(tmp_path: Path) -> None:
    create_private(tmp_path / "key", b"first")

    create_private(tmp_path / "key", b"second")

    assert (tmp_path / "key").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_of_many_at_once_one_wins(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        for number in range(16):
            pool.submit(create_private, tmp_path / "key", f"{number:04}".encode() * 1000)

    content = (tmp_path / "key").read_bytes()
    assert content == content[:4] * 1000


def test_replace_puts_it_in_place_of_what_is_there(tmp_path: Path) -> None:
    create_private(tmp_path / "settings", b"old and longer")

    replace_private(tmp_path / "settings", b"new")

    assert (tmp_path / "settings").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["settings"]


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="not there"):
        create_private(tmp_path / "not there" / "key", b"content")
