"""How well destinations are known to be readable, and what they store and cost."""

from datetime import date
from uuid import UUID

from holdfast.events.base import AwareTime
from holdfast.events.checks import Health
from holdfast.events.views.base import View


class PartView(View, frozen=True, kw_only=True):
    """One part of a repository's data: the packs with certain first bytes in their ids."""

    part: int
    last_read_at: AwareTime | None
    """What was in it then was read; null: it was never read as a whole."""


class VerificationView(View, frozen=True, kw_only=True):
    """How well a destination's data is known to be readable."""

    destination_id: UUID
    health: Health
    damaged_since: AwareTime | None
    damaged_packs: tuple[str, ...]
    """Damaged or missing.  None, though ``health`` says damaged: an index or a snapshot is."""
    damaged_snapshot_ids: tuple[str, ...]
    """restic's ids of the snapshots that need them, as far as restic can tell."""
    check_schedule: str
    timezone: str
    verify_within_days: int
    """All data is to be read at least every so many days."""
    verify_budget_mib_per_day: int | None
    checked_at: AwareTime | None
    parts: tuple[PartView, ...]
    parts_read: int
    """How many of them were ever read."""
    oldest_read_at: AwareTime | None
    """All data that was there then was read since; null while a part was never read."""
    promise_kept: bool
    warnings: tuple[str, ...]
    """Why it is not, or cannot be."""


class StatsDay(View, frozen=True, kw_only=True):
    """A repository's size as last measured on a day.  Bytes."""

    day: date
    measured_at: AwareTime
    raw_size: int
    uncompressed_size: int
    restore_size: int
    snapshots_count: int
    compression_ratio: float
    compression_space_saving: float


class Cost(View, frozen=True, kw_only=True):
    """What a repository costs by month, in USD: storage alone."""

    provider: str
    """``b2``, ``wasabi``, ``aws_s3``, ``local``, or the host of another S3 service."""
    price_per_tb_month: float | None
    """For 10^12 bytes; null: not known, set it with ``PUT /backup/prices/{provider}``."""
    monthly: float | None
    monthly_without_deduplication: float | None
    """If each snapshot were stored whole."""


class StatsView(View, frozen=True, kw_only=True):
    """How much a destination stores, what that saves and costs, and how it grows."""

    destination_id: UUID
    measured_at: AwareTime | None
    """After the last check or prune; null: not measured yet, and all sizes are 0."""
    raw_size: int = 0
    """Bytes at the destination, after deduplication and compression."""
    uncompressed_size: int = 0
    restore_size: int = 0
    """Bytes that all snapshots would be if each were restored."""
    snapshots_count: int = 0
    compression_ratio: float = 0.0
    compression_space_saving: float = 0.0
    """In percent."""
    savings_percent: float = 0.0
    """``raw_size`` beside ``restore_size``."""
    cost: Cost
    days: tuple[StatsDay, ...] = ()
    """Newest first."""


class PriceView(View, frozen=True, kw_only=True):
    """What a provider takes for 10^12 bytes a month, in USD."""

    provider: str
    per_tb_month: float
    is_default: bool
    """Holdfast's own figure; otherwise somebody has set it."""
