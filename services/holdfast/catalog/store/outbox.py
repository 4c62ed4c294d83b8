"""Events to publish, written in the transaction that makes them true."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import to_structs
from holdfast.catalog.store.sql import load
from holdfast.events.base import Event, encode
from holdfast.events.registry import EVENTS
from holdfast.kernel.errors import EventRefusedError

SQL = load("outbox")

CHANNEL = "holdfast_outbox"
"""Notified when a row is committed."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """An event that has not been published yet."""

    id: int
    event_id: UUID
    type: str
    payload: bytes

    @property
    def event(self) -> Event:
        """As it was written.  Raises EventRefusedError when this release cannot read it."""
        try:
            return msgspec.json.decode(self.payload, type=EVENTS[self.type])
        except KeyError:
            raise EventRefusedError(f"This release knows no event of type {self.type!r}.") from None
        except msgspec.MsgspecError as error:
            raise EventRefusedError(
                f"An event of type {self.type!r} does not read: {error}."
            ) from error

    @property
    def run_id(self) -> UUID | None:
        """The run that it is of, if it says so; whether it can be read or not."""
        try:
            return msgspec.json.decode(self.payload, type=_OfRun).run_id
        except msgspec.MsgspecError:
            return None


class _OfRun(msgspec.Struct, frozen=True):
    run_id: UUID | None = None


async def add(connection: Connection, *events: Event) -> None:
    """Publish *events*, in this order, once the transaction is committed."""
    for event in events:
        await connection.execute(SQL["add_event"], event.event_id, event.TYPE, encode(event))


async def add_work(
    connection: Connection, work_type: str, work: Mapping[str, Any], event_id: UUID | None = None
) -> None:
    """Publish a run's work, as its row has it; with an id of its own when one is given.

    It is not read here: what this release cannot read is the relay's to tell, and must not
    keep other runs from starting.
    """
    said = dict(work) if event_id is None else {**work, "event_id": str(event_id)}
    await connection.execute(SQL["add_event"], UUID(said["event_id"]), work_type, encode(said))


async def set_aside(connection: Connection, waiting_id: int, reason: str, now: datetime) -> None:
    """It is not taken any more; the row stays, with the reason."""
    await connection.execute(SQL["set_aside_event"], waiting_id, now, reason)


async def set_aside_count(connection: Connection) -> int:
    """How many there are that could not be published."""
    count: int = await connection.fetchval(SQL["count_set_aside"])
    return count


async def take(connection: Connection, limit: int) -> tuple[Waiting, ...]:
    """The oldest ones, held until the transaction ends; another relay passes them over."""
    return to_structs(await connection.fetch(SQL["take_events"], limit), Waiting)


async def done(connection: Connection, ids: list[int]) -> None:
    """They are published."""
    await connection.execute(SQL["drop_events"], ids)
