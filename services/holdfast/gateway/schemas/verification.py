"""Checks and prices: what may be asked for."""

from typing import Annotated

import msgspec

from holdfast.events.checks import ReadData
from holdfast.events.views import PriceView
from holdfast.gateway.schemas.text import Request

Days = Annotated[int, msgspec.Meta(ge=1, le=3650)]
Mebibytes = Annotated[int, msgspec.Meta(ge=1)]
Price = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]
CronText = Annotated[str, msgspec.Meta(max_length=200)]


class CheckRequest(Request, frozen=True, kw_only=True):
    """How much of the data is read."""

    read_data: ReadData = ReadData.PART


class VerificationRequest(Request, frozen=True, kw_only=True):
    """How often all of the data is read, and when checks come."""

    verify_within_days: Days
    verify_budget_mib_per_day: Mebibytes | None = None
    """How much scheduled checks read a day at most; null: what the days need."""
    check_schedule: CronText | None = None
    """Five cron fields; empty: no scheduled checks; absent: as it is."""


class PriceRequest(Request, frozen=True, kw_only=True):
    """What a provider takes."""

    per_tb_month: Price
    """USD for 10^12 bytes."""


class PriceList(msgspec.Struct, frozen=True, kw_only=True):
    """What storage costs, by provider."""

    prices: tuple[PriceView, ...]
