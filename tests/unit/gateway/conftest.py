"""A gateway over a bus that only remembers."""

import pytest

from support.gateway import GatewayHouse


@pytest.fixture
async def house() -> GatewayHouse:
    return GatewayHouse()
