"""What a policy may say: when, in which zone, and how much is kept."""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from cronsim import CronSim, CronSimError
from msgspec import UNSET

from holdfast.events.due import CRON_NICKNAMES
from holdfast.events.queries import UpdatePolicy
from holdfast.events.views import KeepRules
from holdfast.kernel.errors import InvalidRequestError

MOST_KEPT = 100_000
_SCHEDULE_HELP = f"Five cron fields such as '0 2 * * *', or one of {', '.join(CRON_NICKNAMES)}."


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a person decides about a policy, all of it checked."""

    name: str
    description: str
    schedule: str
    timezone: str
    enabled: bool
    is_default: bool
    keep: KeepRules


def checked_schedule(value: str, now: datetime, field: str = "schedule") -> str:
    """A nickname, or five fields with one blank between.

    Raises InvalidRequestError that names *field* when it cannot be read or never comes due.
    """
    text = " ".join(value.split())
    nickname = text.lower()
    if nickname in CRON_NICKNAMES:
        return nickname
    if len(text.split(" ")) != 5:
        raise InvalidRequestError(
            f"{field}: {value!r} does not have five fields.", guidance=_SCHEDULE_HELP
        )
    try:
        next(CronSim(text, now))
    except (CronSimError, StopIteration) as error:
        raise InvalidRequestError(
            f"{field}: {value!r} is not a cron expression that ever comes due.",
            guidance=_SCHEDULE_HELP,
            detail=str(error),
        ) from error
    return text


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
        for field in ("name", "description", "schedule", "timezone", "enabled", "is_default")
        if (value := getattr(query, field)) is not UNSET
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
