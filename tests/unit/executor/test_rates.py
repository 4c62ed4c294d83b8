"""Which rate holds when, also when the clocks are set."""

from datetime import datetime

import pytest

from holdfast.events.limits import NO_LIMITS, Limits, RateWindow
from holdfast.executor.limits import rates_at

LIMITS = Limits(
    upload_kib=1000,
    download_kib=2000,
    windows=(
        RateWindow(start="08:00", end="18:00", upload_kib=100, download_kib=200),
        RateWindow(start="12:00", end="13:00", upload_kib=7),
        RateWindow(start="22:00", end="06:00"),
    ),
    timezone="Europe/Berlin",
)


@pytest.mark.parametrize(
    ("at", "rates"),
    [
        ("2026-01-10T06:59:59+00:00", (1000, 2000)),
        ("2026-01-10T07:00:00+00:00", (100, 200)),
        ("2026-01-10T11:30:00+00:00", (100, 200)),  # the first of two that overlap
        ("2026-01-10T17:00:00+00:00", (1000, 2000)),
        ("2026-01-10T23:30:00+00:00", (0, 0)),  # past midnight, and without limits
        ("2026-07-10T06:00:00+00:00", (100, 200)),  # summer time: an hour earlier
        ("2026-07-10T15:59:59+00:00", (100, 200)),
    ],
)
def test_the_rate_is_that_of_the_first_window_that_holds(at: str, rates: tuple[int, int]) -> None:
    assert rates_at(LIMITS, datetime.fromisoformat(at)) == rates


def test_without_limits_there_are_none() -> None:
    assert rates_at(NO_LIMITS, datetime.fromisoformat("2026-01-10T00:00:00+00:00")) == (0, 0)
