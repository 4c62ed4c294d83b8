"""The part of the day in which runs may start, by the clocks of a zone."""

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from holdfast.kernel.errors import InvalidRequestError

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


class InvalidWindowError(InvalidRequestError):
    """The window is not two different times of the day."""

    code = "invalid_window"
    guidance = "Use two times such as 22:00 and 05:30, or none."


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """From *start* up to, not including, *end*, as clocks in *zone* show it.

    An end before the start is on the next day.
    """

    start: time
    end: time
    zone: str

    def holds(self, at: datetime) -> bool:
        """Whether a run may start at *at*."""
        reading = at.astimezone(ZoneInfo(self.zone)).time()
        if self.start < self.end:
            return self.start <= reading < self.end
        return reading >= self.start or reading < self.end

    def end_after(self, at: datetime) -> datetime:
        """When the window that holds *at* ends, in UTC.

        An end that the clocks skip is the end of the gap; of one that they show twice, the
        first that is later than *at*.
        """
        zone = ZoneInfo(self.zone)
        day = at.astimezone(zone).date()
        reading = datetime.combine(day, self.end, tzinfo=zone)
        ends = (
            (reading + days * DAY).replace(fold=fold).astimezone(UTC)
            for days in (0, 1, 2)
            for fold in (0, 1)
        )
        end = min(each for each in ends if each > at and not self.holds(each))
        while end - MINUTE > at and not self.holds(end - MINUTE):
            end -= MINUTE  # a gap, or clocks that went back before the window began
        return end


def window_of(start: str | None, end: str | None, zone: str) -> Window | None:
    """The window between two times "HH:MM" in an IANA zone; None for none.

    Raises InvalidWindowError, which names the field.
    """
    if start is None and end is None:
        return None
    for field, value in (("window_start", start), ("window_end", end)):
        if value is None:
            raise InvalidWindowError(f"{field}: is missing; a window has a start and an end.")
        if not _CLOCK.fullmatch(value):
            raise InvalidWindowError(f"{field}: {value!r} is not a time of the day.")
    if start == end:
        raise InvalidWindowError("window_end: is the window's start.")
    return Window(start=time.fromisoformat(str(start)), end=time.fromisoformat(str(end)), zone=zone)
