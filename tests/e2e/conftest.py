"""One Holdfast for the tests that do it no harm, and one each for those that do."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.house import House


@pytest.fixture
def make_house(tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Start Holdfast with settings of one's own; it is ended with the test."""
    houses: list[House] = []

    def make(**environment: str) -> House:
        house = House(tmp_path / f"house{len(houses)}", **environment)
        houses.append(house)
        return house.start()

    yield make
    for house in houses:
        house.kill()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A Holdfast that the tests of a module share."""
    house = House(tmp_path_factory.mktemp("house") / "data", HOLDFAST_RETRY_DELAYS="1").start()
    yield house
    assert house.stop() == 0
