"""When something comes due: cron in a zone, jitter, and windows.  Pure; it reads no clock."""

from holdfast.schedule.cron import (
    InvalidScheduleError,
    Schedule,
    due_times,
    newest_due,
    next_due,
    parse,
)
from holdfast.schedule.rules import Rules, passed, rules_of
from holdfast.schedule.window import InvalidWindowError, Window, window_of

__all__ = [
    "InvalidScheduleError",
    "InvalidWindowError",
    "Rules",
    "Schedule",
    "Window",
    "due_times",
    "newest_due",
    "next_due",
    "parse",
    "passed",
    "rules_of",
    "window_of",
]
