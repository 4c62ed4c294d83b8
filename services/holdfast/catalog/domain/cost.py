"""What storage costs: a price for a terabyte and month, and whose price it is.  Pure."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from holdfast.events.views import Cost, DestinationView
from holdfast.events.work import DestinationType

TB = 10**12
"""Providers bill decimal terabytes."""

LOCAL = "local"

DEFAULT_PRICES: dict[str, float] = {"b2": 7.0, "wasabi": 6.99, "aws_s3": 23.0, LOCAL: 0.0}
"""USD for a TB and month: list prices, without downloads and requests."""

_DOMAINS = {"backblazeb2.com": "b2", "wasabisys.com": "wasabi", "amazonaws.com": "aws_s3"}


def provider_of(destination: DestinationView) -> str:
    """Whose price it is: a known provider's, or an S3 service's by its host."""
    if destination.type is not DestinationType.S3:
        return LOCAL
    endpoint = destination.s3_endpoint or ""
    host = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}").hostname or endpoint
    for domain, provider in _DOMAINS.items():
        if host == domain or host.endswith(f".{domain}"):
            return provider
    return host


def cost_of(
    destination: DestinationView, set_prices: Mapping[str, float], raw_size: int, restore_size: int
) -> Cost:
    """By month; without amounts when nobody has said what the provider takes."""
    provider = provider_of(destination)
    price = {**DEFAULT_PRICES, **set_prices}.get(provider)
    return Cost(
        provider=provider,
        price_per_tb_month=price,
        monthly=None if price is None else _cents(raw_size / TB * price),
        monthly_without_deduplication=None if price is None else _cents(restore_size / TB * price),
    )


def savings_percent(raw_size: int, restore_size: int) -> float:
    """How much smaller than what would be restored; 0 when nothing is saved."""
    if restore_size <= 0:
        return 0.0
    return round(max(0.0, 100 * (1 - raw_size / restore_size)), 1)


def _cents(amount: float) -> float:
    return round(amount, 2)
