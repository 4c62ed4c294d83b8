"""What the scheduler says: a time has come."""

from typing import ClassVar
from uuid import UUID

import msgspec

from holdfast.events.base import AwareTime, Event


class DueTimes(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration's scheduled time has come."""

    configuration_id: UUID
    scheduled_for: AwareTime
    coalesced: tuple[AwareTime, ...] = ()
    """Earlier times that passed while nobody was there, oldest first.  At most one run
    starts for all of them; the catalog's ledger says what became of each."""
    more: bool = False
    """Later times have passed as well, and the next event tells of them: none starts for this
    one."""


class BackupDue(Event, frozen=True, kw_only=True):
    """The scheduled times of some configurations have come, each of which is there once.

    Together, because many apps are due at the same minute: one event for each took seconds
    until the last was queued.  The event's id is derived from the configurations and times,
    so that two schedulers, or one that restarted, say the same thing.
    """

    TYPE: ClassVar[str] = "backup.due"

    due: tuple[DueTimes, ...]


class CheckDue(Event, frozen=True, kw_only=True):
    """A repository's time to be checked has come."""

    TYPE: ClassVar[str] = "check.due"

    destination_id: UUID
    scheduled_for: AwareTime


class DrillDue(Event, frozen=True, kw_only=True):
    """A configuration's time to be proved restorable has come."""

    TYPE: ClassVar[str] = "drill.due"

    configuration_id: UUID
    scheduled_for: AwareTime


class PruneDue(Event, frozen=True, kw_only=True):
    """A repository's time to free space has come."""

    TYPE: ClassVar[str] = "prune.due"

    destination_id: UUID
    scheduled_for: AwareTime
