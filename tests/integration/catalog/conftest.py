"""A catalog of the test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from holdfast.catalog.deps import Deps
from support.catalog import Clock, opened_catalog
from support.servers import PostgresServer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def deps(postgres_dsn: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Deps]:
    async with opened_catalog(postgres_dsn, tmp_path / "data", clock) as opened:
        yield opened


@pytest.fixture
def other_dsn(postgres_server: PostgresServer) -> str:
    """A second fresh database."""
    return postgres_server.new_database()
