"""What lies between a due time and its start: jitter and the window."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import blake2b
from uuid import UUID

import msgspec

from holdfast.schedule.cron import Schedule, due_times, parse
from holdfast.schedule.window import Window, window_of


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """One configuration's schedule with all that its policy says of when it starts."""

    schedule: Schedule
    share: float = 0.0
    """Which part of the jitter is this configuration's: from 0 up to, not including, 1."""
    jitter: timedelta = timedelta(0)
    window: Window | None = None

    def in_window(self, at: datetime) -> bool:
        """Whether a run may start at *at*."""
        return self.window is None or self.window.holds(at)

    def starts_at(self, due: datetime) -> datetime:
        """When what is due at *due* is to start.

        Jitter never moves it out of its window: what is left of that is then what is spread
        over.  So of two due times in a window the earlier never starts after the later.  A
        due time outside the window only becomes a row, and that at once.
        """
        reach = self.jitter
        if self.window is not None:
            if not self.window.holds(due):
                return due
            if reach:
                reach = min(reach, self.window.end_after(due) - due)
        return due + timedelta(seconds=int(reach.total_seconds() * self.share))

    def due_after(self, after: datetime) -> Iterator[datetime]:
        """The due times later than *after*, oldest first."""
        return due_times(self.schedule, after)


def rules_of(
    of: UUID,
    schedule: str,
    timezone: str,
    *,
    jitter_seconds: int = 0,
    window_start: str | None = None,
    window_end: str | None = None,
) -> Rules:
    """The rules of the configuration *of*.  Raises InvalidScheduleError, InvalidWindowError."""
    return Rules(
        schedule=parse(schedule, timezone),
        share=share_of(of) if jitter_seconds else 0.0,
        jitter=timedelta(seconds=jitter_seconds),
        window=window_of(window_start, window_end, timezone),
    )


def share_of(of: UUID) -> float:
    """From 0 up to, not including, 1: the same for an id for ever, evenly spread over ids."""
    number = int.from_bytes(blake2b(of.bytes, digest_size=8).digest()[:6], "big")
    return number / 2**48


def passed(
    rules: Rules, after: datetime, now: datetime, most: int
) -> tuple[tuple[datetime, ...], bool]:
    """The due times later than *after* whose start has come, oldest first, at most *most*;
    and whether there are more.

    In order: one whose start has not come holds back those that are due after it.
    """
    times: list[datetime] = []
    for time in rules.due_after(after):
        if time > now or rules.starts_at(time) > now:
            return tuple(times), False
        if len(times) == most:
            return tuple(times), True
        times.append(time)
    return tuple(times), False
