"""What a policy may say: when, in which zone, and how much is kept."""

from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import UNSET

from holdfast.events.queries import UpdatePolicy
from holdfast.events.schedule import CatchUp
from holdfast.events.views import KeepRules
from holdfast.events.work import FanOut
from holdfast.kernel.errors import InvalidRequestError
from holdfast.schedule import InvalidScheduleError, parse, window_of
from holdfast.schedule.cron import CRON_NICKNAMES

MOST_KEPT = 100_000
MOST_JITTER_SECONDS = 86_400
_SCHEDULE_HELP = f"Five cron fields such as '0 2 * * *', or one of {', '.join(CRON_NICKNAMES)}."


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a person decides about a policy, all of it checked."""

    name: str
    description: str
    schedule: str
    timezone: str
    enabled: bool
    is_default: bool
    jitter_seconds: int = 0
    window_start: str | None = None
    window_end: str | None = None
    catch_up: CatchUp = CatchUp.RUN_ONCE
    fan_out: FanOut = FanOut.MIRROR
    keep: KeepRules


def checked_schedule(value: str, field: str = "schedule") -> str:
    """A nickname, or five fields with one blank between.

    Raises InvalidRequestError that names *field* when it cannot be read or never comes due.
    """
    try:
        fields = parse(value, "UTC").fields
    except InvalidScheduleError as error:
        raise InvalidRequestError(
            f"{field}: {error.message}", guidance=_SCHEDULE_HELP, detail=error.detail
        ) from error
    nickname = value.strip().lower()
    return nickname if nickname in CRON_NICKNAMES else fields


def checked_jitter(seconds: int) -> int:
    """InvalidRequestError when it is out of range."""
    if not 0 <= seconds <= MOST_JITTER_SECONDS:
        raise InvalidRequestError(
            f"jitter_seconds is {seconds}; it must be from 0 (none) to {MOST_JITTER_SECONDS}."
        )
    return seconds


def checked_timezone(value: str, default: str, field: str = "timezone") -> str:
    """An IANA name this machine knows; *default* for an empty one."""
    if not value:
        return default
    try:
        return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidRequestError(
            f"{field}: {value!r} is not a time zone.",
            guidance="Use an IANA name such as Europe/Berlin or UTC.",
        ) from error


class Windowed(Protocol):
    """What has a window, or none."""

    @property
    def window_start(self) -> str | None: ...

    @property
    def window_end(self) -> str | None: ...

    @property
    def timezone(self) -> str: ...


def check_window(terms: Windowed) -> None:
    """InvalidRequestError names the end that will not do."""
    window_of(terms.window_start, terms.window_end, terms.timezone)


def checked_keep(keep: KeepRules) -> KeepRules:
    """The same rules; InvalidRequestError names the one that is out of range."""
    for field, count in msgspec.structs.asdict(keep).items():
        if not 0 <= count <= MOST_KEPT:
            raise InvalidRequestError(
                f"{field} is {count}; it must be from 0 (no rule) to {MOST_KEPT}."
            )
    return keep


def changed(terms: Terms, query: UpdatePolicy) -> Terms:
    """*terms* with what *query* sets; nothing is checked yet."""
    fields = {
        field: value
        for field in Terms.__struct_fields__
        if field != "keep" and (value := getattr(query, field)) is not UNSET
    }
    keep = {
        field: value
        for field in KeepRules.__struct_fields__
        if (value := getattr(query, field)) is not UNSET
    }
    rules = msgspec.structs.replace(terms.keep, **keep)
    return msgspec.structs.replace(terms, **fields, keep=rules)


def restarts_schedule(old: Terms, new: Terms) -> bool:
    """Whether only times from now on count as due.

    A schedule that reads differently, or that was off, must not make up for times that it
    never promised.
    """
    return (old.schedule, old.timezone) != (new.schedule, new.timezone) or (
        new.enabled and not old.enabled
    )
