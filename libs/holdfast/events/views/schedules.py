"""Due times."""

from uuid import UUID

from holdfast.events.base import AwareTime
from holdfast.events.schedule import DueOutcome
from holdfast.events.views.base import Page, View


class DueTime(View, frozen=True, kw_only=True):
    """A time that is still to come."""

    scheduled_for: AwareTime
    starts_at: AwareTime | None
    """With jitter; null outside the window, where nothing starts."""


class LedgerRow(View, frozen=True, kw_only=True):
    """A due time that has passed, and what became of it."""

    scheduled_for: AwareTime
    outcome: DueOutcome
    reason: str
    run_id: UUID | None
    recorded_at: AwareTime


class ScheduleView(Page, frozen=True, kw_only=True):
    """One configuration's due times."""

    configuration_id: UUID
    enabled: bool
    """Both the configuration and its policy; otherwise nothing is to come."""
    schedule: str
    timezone: str
    upcoming: tuple[DueTime, ...]
    past: tuple[LedgerRow, ...]
    """Newest first."""


class SchedulePreview(View, frozen=True, kw_only=True):
    """When a schedule comes due next."""

    schedule: str
    timezone: str
    times: tuple[AwareTime, ...]
