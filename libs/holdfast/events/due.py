"""What the scheduler says: a time has come."""

from typing import ClassVar
from uuid import UUID

from holdfast.events.base import AwareTime, Event

CRON_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
"""As in crontab(5): what a schedule may say instead of five fields, and what it means."""


class BackupDue(Event, frozen=True, kw_only=True):
    """A configuration's scheduled time has come.

    The event's id is derived from the configuration and the time, so that two
    schedulers, or one that restarted, say the same thing.
    """

    TYPE: ClassVar[str] = "backup.due"

    configuration_id: UUID
    scheduled_for: AwareTime
    coalesced: tuple[AwareTime, ...] = ()
    """Earlier times that passed while nobody was there; this one run stands for them."""


class PruneDue(Event, frozen=True, kw_only=True):
    """A repository's time to free space has come."""

    TYPE: ClassVar[str] = "prune.due"

    destination_id: UUID
    scheduled_for: AwareTime
