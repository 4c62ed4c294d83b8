"""What every event is: an id, a time, a type and the stream it is kept in."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

import msgspec

from holdfast.kernel.ids import derived_id

AwareTime = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with its zone; a naive one does not decode."""


class Stream(StrEnum):
    """Where a message is kept."""

    FACTS = "FACTS"
    """What happened, or is asked for: kept 90 days, replayable, heard by many."""

    WORK = "WORK"
    """What an executor is to do: kept until it is done, heard by one."""

    TRANSIENT = "TRANSIENT"
    """Not kept: a loss does no harm (progress)."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One message on the bus.  It may gain fields with defaults; nothing else changes."""

    TYPE: ClassVar[str]
    STREAM: ClassVar[Stream] = Stream.FACTS

    event_id: UUID
    occurred_at: AwareTime

    @property
    def subject(self) -> str:
        """Where it is published: the type below the stream's prefix."""
        prefix = "progress" if self.STREAM is Stream.TRANSIENT else "evt"
        return f"{prefix}.{self.TYPE}"


class Work(Event, frozen=True, kw_only=True):
    """One run that the catalog admitted, complete enough to be done without asking.

    The subject names the run, and WORK keeps one message a subject: the same run
    cannot be queued twice.  Secrets are not in it: the executor gets them, sealed
    to its own key, in the answer to its claim.
    """

    STREAM: ClassVar[Stream] = Stream.WORK

    run_id: UUID
    site: str
    """Which executors can do it: those beside the device."""

    @property
    def subject(self) -> str:
        return f"work.{self.site}.{self.TYPE}.{self.run_id}"


def follow_up_id(cause: Event, event_type: type[Event], *parts: object) -> UUID:
    """The id of the event that *cause* leads to: the same one when *cause* comes twice."""
    return derived_id(cause.event_id, event_type.TYPE, *parts)


def encode(value: Any) -> bytes:
    """JSON, as it goes over the bus."""
    return msgspec.json.encode(value)
