"""What becomes of due times.  Pure: times and a policy's rules in, one verdict for each out.

Every due time gets one row, and of all that are told together at most one starts.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from holdfast.events.due import DueTimes
from holdfast.events.schedule import CatchUp, DueOutcome
from holdfast.schedule import Rules

ON_TIME = timedelta(minutes=5)
"""Said so long after its start at the latest, a due time was not missed: a scheduler that
restarts, or a bus that was away for a moment, is no downtime."""

AHEAD = timedelta(minutes=65)
"""A due time so far in the catalog's own future is not taken.  Longer than the stream
remembers an event's id (an hour), so that it is not dropped as a repeat when it is said again
in its time."""

VOID = timedelta(hours=25)
"""A row from so far in the future was written by a clock that had jumped, and counts for
nothing.  Longer than a day, so that a clock that is wrong by a day at most does nothing twice."""

OUTSIDE = "outside the window"
OVER = "the window was over when it could have started"
NOT_MADE_UP = "nothing ran at that time, and the policy makes up for nothing"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One due time's row."""

    scheduled_for: datetime
    outcome: DueOutcome
    reason: str = ""


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What is decided, and what is to be tried."""

    verdicts: tuple[Verdict, ...]
    start: datetime | None = None
    """The due time for which a run is to start; its row depends on how that goes."""


def all_skipped(due: DueTimes, reason: str) -> Settled:
    """None of them may start."""
    return Settled(verdicts=_verdicts(_times(due), DueOutcome.SKIPPED, reason))


def come(due: DueTimes, now: datetime) -> DueTimes | None:
    """*due* without the times that lie in the future: a scheduler whose clock has jumped
    says them, and says them again when they come.  None: there are no others."""
    if due.scheduled_for <= now + AHEAD:
        return due
    times = [each for each in due.coalesced if each <= now + AHEAD]
    if not times:
        return None
    return msgspec.structs.replace(
        due, scheduled_for=times[-1], coalesced=tuple(times[:-1]), more=False
    )


def is_void(scheduled_for: datetime, recorded_at: datetime, now: datetime) -> bool:
    """Whether a row is no record: what it tells of has come only now, but it says that it was
    written long after."""
    return scheduled_for <= now < recorded_at - VOID


def settle(
    due: DueTimes, said_at: datetime, rules: Rules, catch_up: CatchUp, now: datetime
) -> Settled:
    """Decide on the due times of a configuration that were told at *said_at*.

    Those outside the window are skipped.  Of the others the newest starts, if it is not too
    late: with ``skip`` when it was said later than ``ON_TIME``, with a window when that is
    over by *now*.  What is earlier than one that starts is coalesced, or missed with ``skip``.
    """
    times = _times(due)
    inside = [time for time in times if rules.in_window(time)]
    skipped = _verdicts(
        [time for time in times if not rules.in_window(time)], DueOutcome.SKIPPED, OUTSIDE
    )
    if not inside:
        return Settled(verdicts=skipped)

    newest = inside[-1]
    if catch_up is CatchUp.SKIP:
        passed, why = DueOutcome.MISSED, NOT_MADE_UP
    else:
        passed, why = DueOutcome.COALESCED, ""
    late = said_at - rules.starts_at(newest) > ON_TIME
    if due.more or (late and catch_up is CatchUp.SKIP):
        return Settled(verdicts=skipped + _verdicts(inside, passed, why))
    if not rules.in_window(now):
        return Settled(verdicts=skipped + _verdicts(inside, DueOutcome.MISSED, OVER))
    return Settled(verdicts=skipped + _verdicts(inside[:-1], passed, why), start=newest)


def _times(due: DueTimes) -> tuple[datetime, ...]:
    return (*due.coalesced, due.scheduled_for)


def _verdicts(times: Sequence[datetime], outcome: DueOutcome, reason: str) -> tuple[Verdict, ...]:
    return tuple(Verdict(scheduled_for=each, outcome=outcome, reason=reason) for each in times)
