"""Events to publish, written in the transaction that makes them true."""

from uuid import UUID

import msgspec

from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import to_structs
from holdfast.catalog.store.sql import load
from holdfast.events.base import Event, encode
from holdfast.events.registry import EVENTS

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
        """As it was written."""
        return msgspec.json.decode(self.payload, type=EVENTS[self.type])


async def add(connection: Connection, *events: Event) -> None:
    """Publish *events*, in this order, once the transaction is committed."""
    for event in events:
        await connection.execute(SQL["add_event"], event.event_id, event.TYPE, encode(event))


async def take(connection: Connection, limit: int) -> tuple[Waiting, ...]:
    """The oldest ones, held until the transaction ends; another relay passes them over."""
    return to_structs(await connection.fetch(SQL["take_events"], limit), Waiting)


async def done(connection: Connection, ids: list[int]) -> None:
    """They are published."""
    await connection.execute(SQL["drop_events"], ids)
