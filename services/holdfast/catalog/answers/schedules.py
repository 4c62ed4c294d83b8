"""What the scheduler and retention ask."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice

from msgspec.structs import replace

from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.cursor import Place, checked_limit, from_cursor, to_cursor
from holdfast.catalog.domain.drill import monthly
from holdfast.catalog.domain.policy import checked_schedule, checked_timezone
from holdfast.catalog.store import configurations, destinations, ledger, policies, runs, snapshots
from holdfast.catalog.store.pool import reading
from holdfast.events.queries import (
    GetConfigurationSchedule,
    GetPruneView,
    GetRetentionView,
    ListSchedules,
    PreviewSchedule,
    PruneView,
    RetentionView,
    ScheduleEntries,
    ScheduleEntry,
)
from holdfast.events.views import DueTime, KeepRules, LedgerRow, SchedulePreview, ScheduleView
from holdfast.kernel.errors import NotFoundError
from holdfast.schedule import Rules, due_times, parse, rules_of

UPCOMING = 10
MOST_ENTRIES = 10_000


async def answer_list_schedules(query: ListSchedules, deps: Deps) -> ScheduleEntries:
    """A page of all that comes due."""
    limit = min(max(query.limit, 1), MOST_ENTRIES)
    async with reading(deps.pool) as connection:
        rows = await ledger.schedules(
            connection, query.after_id, limit, drills=deps.settings.drills
        )
    rows = tuple(
        each if each.schedule else replace(each, schedule=monthly(each.id)) for each in rows
    )
    return ScheduleEntries(entries=rows, next_after_id=rows[-1].id if len(rows) >= limit else None)


async def answer_get_retention_view(query: GetRetentionView, deps: Deps) -> RetentionView:
    """What of a configuration is at a destination, and what its policy keeps."""
    async with reading(deps.pool) as connection:
        configuration = await configurations.find(connection, query.configuration_id)
        policy = await policies.find(connection, configuration.policy_id) if configuration else None
        if policy is None:
            # A deleted configuration's snapshots have no rules any more: all of them stay.
            raise NotFoundError("The configuration is deleted.")
        run = await runs.find(connection, query.run_id)
        known = await snapshots.known(connection, query.configuration_id, query.destination_id)
    return RetentionView(
        recorded=run is not None and run.status.is_outcome,
        claim=None if run is None else run.claim,
        keep=KeepRules(**{name: getattr(policy, name) for name in KeepRules.__struct_fields__}),
        snapshots=known,
        timezone=policy.timezone,
    )


async def answer_get_prune_view(query: GetPruneView, deps: Deps) -> PruneView:
    """Whether freeing space is worth a run."""
    async with reading(deps.pool) as connection:
        needed = await destinations.needs_prune(connection, query.destination_id)
    if needed is None:
        raise NotFoundError(f"There is no destination {query.destination_id}.")
    return PruneView(needed=needed)


async def answer_preview_schedule(query: PreviewSchedule, deps: Deps) -> SchedulePreview:
    """The next ten due times; InvalidRequestError names the field that will not do."""
    schedule = checked_schedule(query.schedule)
    timezone = checked_timezone(query.timezone, deps.settings.timezone)
    return SchedulePreview(
        schedule=schedule,
        timezone=timezone,
        times=tuple(islice(due_times(parse(schedule, timezone), deps.now()), UPCOMING)),
    )


async def answer_get_configuration_schedule(
    query: GetConfigurationSchedule, deps: Deps
) -> ScheduleView:
    """What became of the due times that passed, and the next ten."""
    limit = checked_limit(query.limit)
    after = from_cursor(query.cursor) if query.cursor else None
    async with reading(deps.pool) as connection:
        configuration = await configurations.find(connection, query.configuration_id)
        policy = await policies.find(connection, configuration.policy_id) if configuration else None
        if configuration is None or policy is None:
            raise NotFoundError(f"There is no configuration {query.configuration_id}.")
        rows = await ledger.past(connection, query.configuration_id, limit, after)
        entries = await ledger.schedules_of(connection, [query.configuration_id])
    last = rows[limit - 1] if len(rows) > limit else None
    return ScheduleView(
        configuration_id=configuration.id,
        enabled=configuration.id in entries,
        schedule=policy.schedule,
        timezone=policy.timezone,
        upcoming=tuple(
            each for entry in entries.values() for each in _upcoming(entry, rows, deps.now())
        ),
        past=rows[:limit],
        next_cursor=None
        if last is None
        else to_cursor(Place(last.scheduled_for, configuration.id)),
    )


def _upcoming(entry: ScheduleEntry, rows: Sequence[LedgerRow], now: datetime) -> Iterator[DueTime]:
    """The next ones that are not on record yet: with jitter, one may be due but not started."""
    rules = entry_rules(entry)
    newest = rows[0].scheduled_for if rows else entry.after
    after = max(entry.after, min(newest, now), now - rules.jitter)
    for time in islice(rules.due_after(after), UPCOMING):
        starts = rules.starts_at(time) if rules.in_window(time) else None
        yield DueTime(scheduled_for=time, starts_at=starts)


def entry_rules(entry: ScheduleEntry) -> Rules:
    """The rules by which an entry comes due."""
    return rules_of(
        entry.id,
        entry.schedule,
        entry.timezone,
        jitter_seconds=entry.jitter_seconds,
        window_start=entry.window_start,
        window_end=entry.window_end,
    )
