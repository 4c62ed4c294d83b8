"""The ledger of retentions: saves requests, and nothing depends on it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfast.executor.operations.protect import read_ledger, write_ledger
from holdfast.storage.s3_versions import Retention

HELD = {"lab/config@v1": Retention(datetime(2026, 5, 1, tzinfo=UTC), "COMPLIANCE", True)}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "retention" / "x.json"

    write_ledger(path, HELD)

    assert read_ledger(path) == HELD
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"x": 1}'])
def test_one_that_is_missing_or_damaged_is_empty(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_bytes(content)

    assert read_ledger(path) == {}
