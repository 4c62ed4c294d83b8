"""A catalog of the test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from holdfast.catalog.deps import Deps
from support.catalog import Clock, opened_catalog


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def deps(postgres_dsn: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Deps]:
    async with opened_catalog(postgres_dsn, tmp_path / "data", clock) as opened:
        yield opened
