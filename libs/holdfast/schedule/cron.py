"""Five cron fields in a time zone, and the times at which they come due.

cronsim does the arithmetic, with Debian's rules for the two odd nights a year: what has a
fixed time that the clock skips runs right after the gap, what the clock passes twice
runs once, and ``*`` in the minutes or hours follows real time.  This module adds what it
leaves open: nicknames, zones by name, times in UTC, and never a time that is not later.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from cronsim import CronSim, CronSimError

from holdfast.kernel.errors import InvalidRequestError

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

FIELDS = 5


class InvalidScheduleError(InvalidRequestError):
    """The schedule is not a cron expression, or its time zone is unknown."""

    code = "invalid_schedule"
    guidance = "Use five fields such as '30 2 * * *' or @daily, and an IANA zone such as UTC."


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """When something recurs.  Make it with ``parse``, which refuses what never comes."""

    fields: str
    """Five cron fields."""
    zone: str
    """IANA name."""


@lru_cache(maxsize=4096)
def parse(expression: str, timezone: str) -> Schedule:
    """The schedule that a policy's words mean.  Raises InvalidScheduleError."""
    fields = " ".join(expression.split())
    fields = CRON_NICKNAMES.get(fields.lower(), fields)
    if len(fields.split()) != FIELDS:
        raise InvalidScheduleError(f"{expression!r} does not have five fields.")
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidScheduleError(f"{timezone!r} is not a time zone.") from error
    try:
        # 1 January 2000 stands for any day: what comes once in fifty years comes then, too.
        next(CronSim(fields, datetime(2000, 1, 1, tzinfo=zone)))
    except (CronSimError, StopIteration) as error:
        raise InvalidScheduleError(f"{expression!r} never comes due.", detail=str(error)) from error
    return Schedule(fields=fields, zone=timezone)


@lru_cache(maxsize=4096)
def next_due(schedule: Schedule, after: datetime) -> datetime | None:
    """The first time later than *after*, in UTC; None when there is none in fifty years.

    Remembered: the apps of one policy ask for the same.
    """
    return next(_walk(schedule, after), None)


def newest_due(schedule: Schedule, after: datetime, now: datetime) -> datetime | None:
    """The newest due time later than *after* and not later than *now*, in UTC, if there is one.

    Found without walking through the others: after a year off, a schedule of every minute
    costs no more than one of every day.
    """
    reach = timedelta(hours=1)
    while True:
        start = max(after, now - reach)
        newest = None
        for time in due_times(schedule, start):
            if time > now:
                break
            newest = time
        if start == after or newest is not None:
            return newest
        reach *= 4


def due_times(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """The due times later than *after*, oldest first, in UTC; they end after fifty years."""
    for _ in range(2):  # mostly no more are wanted: the one that is due, and the next
        time = next_due(schedule, after)
        if time is None:
            return
        yield time
        after = time
    yield from _walk(schedule, after)


def _walk(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """One after the other, as cronsim finds them.

    In the hour that comes twice, cronsim starts from the clock's reading and may give the
    first of the two when *after* is in the second: what is not later is left out.
    """
    for time in CronSim(schedule.fields, after.astimezone(ZoneInfo(schedule.zone))):
        in_utc = time.astimezone(UTC)
        if in_utc > after:
            yield in_utc
