"""Whose price it is, and what that comes to."""

from datetime import UTC, datetime

import pytest

from holdfast.catalog.domain.cost import cost_of, provider_of, savings_percent
from holdfast.events.views import DestinationView
from holdfast.events.work import DestinationType
from holdfast.kernel.ids import new_id

NOW = datetime(2026, 3, 10, tzinfo=UTC)
GB = 10**9


def destination(type_: DestinationType, endpoint: str | None = None) -> DestinationView:
    return DestinationView(
        id=new_id(),
        name="x",
        type=type_,
        enabled=True,
        repo_initialized=True,
        repository_id="",
        s3_endpoint=endpoint,
        prune_schedule="",
        total_snapshots=0,
        total_size=0,
        created_at=NOW,
        updated_at=NOW,
    )


@pytest.mark.parametrize(
    ("endpoint", "provider"),
    [
        ("s3.us-west-002.backblazeb2.com", "b2"),
        ("https://s3.eu-central-1.wasabisys.com", "wasabi"),
        ("s3.amazonaws.com", "aws_s3"),
        ("http://nas.lan:9000", "nas.lan"),
        ("notbackblazeb2.com", "notbackblazeb2.com"),
    ],
)
def test_an_s3_service_is_known_by_its_host(endpoint: str, provider: str) -> None:
    assert provider_of(destination(DestinationType.S3, endpoint)) == provider


def test_the_specifications_example() -> None:
    b2 = destination(DestinationType.S3, "s3.us-west-002.backblazeb2.com")

    cost = cost_of(b2, {}, 228 * GB, 1400 * GB)

    assert (cost.monthly, cost.monthly_without_deduplication) == (1.6, 9.8)
    assert savings_percent(228 * GB, 1400 * GB) == 83.7


def test_a_price_that_nobody_knows_is_no_price_until_it_is_set() -> None:
    place = destination(DestinationType.S3, "http://nas.lan:9000")

    assert cost_of(place, {}, GB, GB).monthly is None
    assert cost_of(place, {"nas.lan": 5}, 1000 * GB, 1000 * GB).monthly == 5
    assert cost_of(destination(DestinationType.LOCAL), {}, GB, GB).monthly == 0
    assert savings_percent(5, 0) == 0
