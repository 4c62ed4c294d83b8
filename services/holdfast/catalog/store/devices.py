"""Devices."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import refusals, to_structs
from holdfast.catalog.store.sql import load
from holdfast.events.views import DeviceView

SQL = load("devices")


async def add(connection: Connection, device: DeviceView) -> None:
    """Keep a device; ConflictError when its name is taken."""
    with refusals():
        await connection.execute(
            SQL["add_device"], device.id, device.name, device.type, device.site, device.created_at
        )


async def add_first(
    connection: Connection, device_id: UUID, name: str, site: str, now: datetime
) -> None:
    """Declare this machine, unless some device is known already."""
    await connection.execute(SQL["add_first_device"], device_id, name, site, now)


async def listed(connection: Connection) -> tuple[DeviceView, ...]:
    """All devices, by name."""
    return to_structs(await connection.fetch(SQL["devices"]), DeviceView)


async def find(connection: Connection, device_id: UUID) -> DeviceView | None:
    """One device, or None."""
    return (await found(connection, [device_id])).get(device_id)


async def found(connection: Connection, device_ids: Sequence[UUID]) -> dict[UUID, DeviceView]:
    """Those that are there, by id."""
    rows = to_structs(await connection.fetch(SQL["devices_by_id"], device_ids), DeviceView)
    return {each.id: each for each in rows}
