"""What the scheduler and retention need to know."""

from uuid import UUID

import msgspec

from holdfast.events import views
from holdfast.events.base import AwareTime
from holdfast.events.queries.base import Query


class ScheduleEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that comes due."""

    kind: str
    """``backup`` and ``drill`` (the id is a configuration's), ``prune`` and ``check`` (a
    destination's)."""
    id: UUID
    schedule: str
    timezone: str
    after: AwareTime
    """The last due time that is on record, or when it was made or last changed:
    only later times count."""
    jitter_seconds: int = 0
    window_start: str | None = None
    window_end: str | None = None


class ScheduleEntries(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the timetable."""

    entries: tuple[ScheduleEntry, ...]
    next_after_id: UUID | None = None
    """Where the next page starts; None at the end."""


class ListSchedules(Query[ScheduleEntries], frozen=True, kw_only=True):
    """All that has a schedule, by id.  A configuration that is switched off is listed, too:
    its due times are on record as skipped."""

    SUBJECT = "catalog.schedule.list"
    REPLY = ScheduleEntries

    after_id: UUID | None = None
    limit: int = 5000
    """A page must fit into one message."""


class GetConfigurationSchedule(Query[views.ScheduleView], frozen=True, kw_only=True):
    """A configuration's due times: what became of those that passed, and the next ten."""

    SUBJECT = "catalog.configuration.schedule"
    REPLY = views.ScheduleView

    configuration_id: UUID
    limit: int = 50
    cursor: str | None = None


class PreviewSchedule(Query[views.SchedulePreview], frozen=True, kw_only=True):
    """The next ten due times of a schedule that need not be anybody's yet."""

    SUBJECT = "catalog.schedule.preview"
    REPLY = views.SchedulePreview

    schedule: str
    timezone: str = ""
    """IANA name; empty: the instance's own."""


class SnapshotFact(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot that is in a repository."""

    restic_snapshot_id: str
    time: AwareTime
    is_complete: bool
    """Every file was read; False: it is partial."""


class RetentionView(msgspec.Struct, frozen=True, kw_only=True):
    """What retention decides from."""

    recorded: bool
    """Whether the catalog has recorded the end of the run in question; if not, ask again."""
    claim: int | None
    """The run's newest claim: what an older one said of its end is never recorded.  None:
    there is no such run."""
    keep: views.KeepRules
    snapshots: tuple[SnapshotFact, ...]
    timezone: str
    """Periods (days, weeks …) are cut in this zone."""


class GetRetentionView(Query[RetentionView], frozen=True, kw_only=True):
    """One configuration's snapshots at one destination, and their keep rules."""

    SUBJECT = "catalog.retention.view"
    REPLY = RetentionView

    run_id: UUID
    configuration_id: UUID
    destination_id: UUID


class PruneView(msgspec.Struct, frozen=True, kw_only=True):
    """Whether freeing space is worth a run."""

    needed: bool
    """Something was forgotten, or a backup broke off, since the last prune."""


class GetPruneView(Query[PruneView], frozen=True, kw_only=True):
    """Ask whether a destination has anything to free."""

    SUBJECT = "catalog.prune.view"
    REPLY = PruneView

    destination_id: UUID
