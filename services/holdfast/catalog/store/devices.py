"""Devices."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import refusals, still_used, to_struct
from holdfast.catalog.store.sql import load
from holdfast.events.discovery import FoundData
from holdfast.events.run import DeviceProbeResult
from holdfast.events.views import DeviceView
from holdfast.kernel.errors import ConflictError, InvalidRequestError
from holdfast.storage.base import fingerprint_of

SQL = load("devices")

MOST_JUMPS = 5
"""One less than the steps at which the view of them ends."""


async def add(connection: Connection, device: DeviceView, sealed: bytes | None) -> None:
    """Keep a device; ConflictError when its name is taken."""
    with refusals():
        await connection.execute(
            SQL["add_device"],
            device.id,
            device.name,
            device.type,
            device.site,
            device.ssh_host or "",
            device.ssh_port or 22,
            device.ssh_user or "",
            device.ssh_host_key or "",
            device.sudo,
            sealed,
            device.created_at,
            device.jump_device_id,
            device.engine_socket,
        )


async def add_first(
    connection: Connection, device_id: UUID, name: str, site: str, now: datetime
) -> None:
    """Declare this machine, unless some device is known already."""
    await connection.execute(SQL["add_first_device"], device_id, name, site, now)


async def listed(connection: Connection) -> tuple[DeviceView, ...]:
    """All devices, by name."""
    return tuple(_view(row) for row in await connection.fetch(SQL["devices"], None))


async def find(connection: Connection, device_id: UUID) -> DeviceView | None:
    """One device, or None."""
    return (await found(connection, [device_id])).get(device_id)


async def own(connection: Connection) -> DeviceView | None:
    """The machine that Holdfast itself runs on: the oldest that is not behind SSH."""
    here = [each for each in await listed(connection) if each.type == "local"]
    return min(here, key=lambda each: each.created_at, default=None)


async def found(connection: Connection, device_ids: Sequence[UUID]) -> dict[UUID, DeviceView]:
    """Those that are there, by id."""
    rows = await connection.fetch(SQL["devices"], device_ids)
    return {row["id"]: _view(row) for row in rows}


async def lock(connection: Connection, device_id: UUID) -> DeviceView | None:
    """One device that nobody else changes before the transaction ends, or None."""
    await connection.execute(SQL["lock_device"], device_id)
    return await find(connection, device_id)


async def update(connection: Connection, device: DeviceView, sealed: bytes | None) -> None:
    """Write what a person may change; without *sealed* its secrets stay."""
    with refusals():
        await connection.execute(
            SQL["update_device"],
            device.id,
            device.name,
            device.ssh_host or "",
            device.ssh_port or 22,
            device.ssh_user or "",
            device.ssh_host_key or "",
            device.sudo,
            sealed,
            device.jump_device_id,
            device.engine_socket,
        )


async def lock_ways(connection: Connection) -> None:
    """Nobody else changes how a device is reached before the transaction ends."""
    await connection.execute(SQL["lock_ways"])


async def check_ways(connection: Connection) -> None:
    """Raises InvalidRequestError when a device is reached through itself, or too many others."""
    far = [row["name"] for row in await connection.fetch(SQL["too_far"])]
    if far:
        raise InvalidRequestError(
            f"jump_device_id: {', '.join(far)} would be reached in a circle, or through more than "
            f"{MOST_JUMPS} devices.",
            guidance="Name a device that is reached without this one.",
        )


async def reached_through(connection: Connection, device_id: UUID) -> tuple[str, ...]:
    """The names of the devices that are reached through it."""
    rows = await connection.fetch(SQL["reached_through"], device_id)
    return tuple(row["name"] for row in rows)


async def jump_secrets(
    connection: Connection, ids: Sequence[UUID]
) -> dict[UUID, tuple[tuple[UUID, bytes], ...]]:
    """What opens the devices on the way to some, the first one first, still sealed."""
    ways: dict[UUID, tuple[tuple[UUID, bytes], ...]] = {}
    for row in await connection.fetch(SQL["jump_secrets"], ids):
        step = (row["id"], row["sealed_secrets"])
        ways[row["device_id"]] = (*ways.get(row["device_id"], ()), step)
    return ways


async def probed(
    connection: Connection,
    device_id: UUID,
    result: DeviceProbeResult,
    asked_for: str,
    now: datetime,
) -> None:
    """It was reached, with *asked_for* as the wish for its host key."""
    await connection.execute(
        SQL["device_probed"],
        device_id,
        result,
        now,
        result.host_key,
        asked_for,
        result.docker or result.podman,
    )


async def discover_due(connection: Connection, now: datetime) -> list[UUID]:
    """Whose container engines are to be asked by now, and are not being asked."""
    return [row["id"] for row in await connection.fetch(SQL["discover_due"], now)]


async def discover_at(connection: Connection, device_id: UUID, at: datetime) -> None:
    """When they are to be asked next, if they are at all unasked."""
    await connection.execute(SQL["discover_at"], device_id, at)


async def discovered(connection: Connection, device_id: UUID, at: datetime, now: datetime) -> bool:
    """They were asked then.  False: something newer is on record."""
    return await connection.fetchrow(SQL["discovered"], device_id, at, now) is not None


async def loose(connection: Connection) -> dict[UUID, tuple[FoundData, ...]]:
    """The volumes that no container used at the last look, by device."""
    rows = await connection.fetch(SQL["loose"])
    return {row["id"]: msgspec.convert(row["loose"], tuple[FoundData, ...]) for row in rows}


async def set_loose(connection: Connection, device_id: UUID, volumes: Sequence[FoundData]) -> None:
    """No container uses these."""
    await connection.execute(SQL["set_loose"], device_id, volumes)


async def unprotected(connection: Connection, device_id: UUID) -> tuple[str, ...]:
    """The paths of its data that somebody was told of."""
    return tuple(await connection.fetchval(SQL["unprotected"], device_id) or ())


async def set_unprotected(connection: Connection, device_id: UUID, paths: Sequence[str]) -> None:
    """Somebody was told of these."""
    await connection.execute(SQL["set_unprotected"], device_id, paths)


class FailedLooks(msgspec.Struct, frozen=True, kw_only=True):
    """How long nobody could find out what a device runs."""

    name: str
    unseen_since: datetime
    looks_failed: int
    """In a row."""


async def look_failed(connection: Connection, device_id: UUID, now: datetime) -> FailedLooks | None:
    """One more; None: the device is gone."""
    row = await connection.fetchrow(SQL["look_failed"], device_id, now)
    return None if row is None else to_struct(row, FailedLooks)


async def look_succeeded(connection: Connection, device_id: UUID) -> None:
    """It is known what it runs."""
    await connection.execute(SQL["look_succeeded"], device_id)


async def has_found_apps(connection: Connection, device_id: UUID) -> bool:
    """Whether an engine there has apps, as far as is known."""
    has: bool = await connection.fetchval(SQL["has_found_apps"], device_id)
    return has


async def discover_soon(connection: Connection, device_id: UUID, now: datetime) -> None:
    """Its next look is now, unless there is none."""
    await connection.execute(SQL["discover_soon"], device_id, now)


async def drop_old_discoveries(connection: Connection, device_id: UUID, newest: UUID) -> None:
    """Keep only the *newest* of the ended runs that nobody asked for."""
    await connection.execute(SQL["drop_old_discoveries"], device_id, newest)


async def repositories_on(connection: Connection, device_id: UUID) -> tuple[str, ...]:
    """Where it has repositories."""
    rows = await connection.fetch(SQL["repositories_on"], device_id)
    return tuple(row["local_path"] for row in rows)


async def sealed_secrets(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, bytes]:
    """What opens those that are reached over SSH, still sealed."""
    rows = await connection.fetch(SQL["device_secrets"], ids)
    return {row["id"]: row["sealed_secrets"] for row in rows}


async def remove(connection: Connection, device_id: UUID) -> None:
    """Forget it.  ConflictError while something refers to it."""
    others = await reached_through(connection, device_id)
    if others:
        raise ConflictError(
            f"It is the way to {', '.join(others)}.",
            guidance="Give them another jump_device_id first, or none.",
        )
    drilled = [row["name"] for row in await connection.fetch(SQL["drilled_on"], device_id)]
    if drilled:
        raise ConflictError(
            f"The drills of {', '.join(drilled)} are made on it.",
            guidance="Give those configurations another device_id for their drills, or none.",
        )
    with still_used():
        await connection.execute(SQL["remove_device"], device_id)


def _view(row: asyncpg.Record) -> DeviceView:
    key = row["ssh_host_key"] or ""
    fingerprint = key if key.startswith("SHA256:") else fingerprint_of(key)
    return msgspec.convert({**row, "ssh_host_key_fingerprint": fingerprint or None}, DeviceView)
