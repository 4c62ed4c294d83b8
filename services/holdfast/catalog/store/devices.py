"""Devices."""

from datetime import datetime
from uuid import UUID

from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import refusals, to_struct, to_structs
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
    row = await connection.fetchrow(SQL["device"], device_id)
    return None if row is None else to_struct(row, DeviceView)
