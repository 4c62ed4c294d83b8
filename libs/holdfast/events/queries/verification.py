"""Checks of destinations, and what they store and cost."""

from uuid import UUID

from holdfast.events import views
from holdfast.events.checks import ReadData
from holdfast.events.queries.base import Query


class CheckDestination(Query[views.RunAccepted], frozen=True, kw_only=True):
    """Queue a check of a destination."""

    SUBJECT = "catalog.destination.check"
    REPLY = views.RunAccepted

    destination_id: UUID
    read_data: ReadData = ReadData.PART


class GetVerification(Query[views.VerificationView], frozen=True, kw_only=True):
    """How much of a destination's data was read when, and what was found."""

    SUBJECT = "catalog.verification.get"
    REPLY = views.VerificationView

    destination_id: UUID


class SetVerification(Query[views.VerificationView], frozen=True, kw_only=True):
    """Change how often all of a destination's data is read, and when."""

    SUBJECT = "catalog.verification.set"
    REPLY = views.VerificationView

    destination_id: UUID
    verify_within_days: int
    verify_budget_mib_per_day: int | None = None
    check_schedule: str | None = None
    """None leaves it as it is; empty: no scheduled checks."""


class GetDestinationStats(Query[views.StatsView], frozen=True, kw_only=True):
    """How much a destination stores, what that costs, and how it grows."""

    SUBJECT = "catalog.destination.stats"
    REPLY = views.StatsView

    destination_id: UUID
    days: int = 90


class ListPrices(Query[tuple[views.PriceView, ...]], frozen=True, kw_only=True):
    """What storage costs, by provider."""

    SUBJECT = "catalog.price.list"
    REPLY = tuple[views.PriceView, ...]


class SetPrice(Query[views.PriceView], frozen=True, kw_only=True):
    """Say what a provider takes."""

    SUBJECT = "catalog.price.set"
    REPLY = views.PriceView

    provider: str
    per_tb_month: float
