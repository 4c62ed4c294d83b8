"""The whole house at a glance."""

from datetime import datetime
from itertools import islice

from msgspec.structs import replace

from holdfast.catalog.answers.schedules import entry_rules
from holdfast.catalog.deps import Deps
from holdfast.catalog.store import apps, destinations, instance, ledger, outbox, runs
from holdfast.catalog.store.pool import reading
from holdfast.events.queries import GetStatus, ScheduleEntry
from holdfast.events.views import StatusView

MOST_LOOKED_AT = 1500
"""A day of minutes, and some: what is outside its window for so long is not looked for."""


async def answer_get_status(_query: GetStatus, deps: Deps) -> StatusView:
    """How well each app is protected, and what is going on."""
    async with reading(deps.pool) as connection:
        active, queued = await runs.counts(connection)
        statuses = await apps.statuses(connection)
        entries = await ledger.schedules_of(
            connection, [each.configuration_id for each in statuses if each.configuration_id]
        )
        set_aside = await outbox.set_aside_count(connection)
        listed = await destinations.listed(connection)
        kit = await instance.kit_status(connection)
    now = deps.now()
    return StatusView(
        apps=tuple(
            replace(each, next_due_at=_next(entries.get(each.configuration_id), now))
            if each.configuration_id
            else each
            for each in statuses
        ),
        destinations=listed,
        runs_active=active,
        runs_queued=queued,
        events_set_aside=set_aside,
        recovery_kit=kit,
    )


def _next(entry: ScheduleEntry | None, now: datetime) -> datetime | None:
    """The next due time at which something starts; None when it is switched off."""
    if entry is None:
        return None
    rules = entry_rules(entry)
    times = islice(rules.due_after(now), MOST_LOOKED_AT)
    return next((time for time in times if rules.in_window(time)), None)
