"""Apps."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import refusals, to_structs
from holdfast.catalog.store.sql import load
from holdfast.events.discovery import FoundApp
from holdfast.events.views import AppStatus, AppView

SQL = load("apps")


class KnownApp(msgspec.Struct, frozen=True, kw_only=True):
    """An app that a discovery found before."""

    id: UUID
    name: str
    key: str
    found: FoundApp | None
    """None: it came here with an import, and was not found here yet."""
    vanished_at: datetime | None


async def add(connection: Connection, app: AppView) -> None:
    """Keep an app; ConflictError when its name is taken, InvalidRequestError without its device."""
    with refusals():
        await connection.execute(
            SQL["add_app"], app.id, app.name, app.device_id, app.paths, app.created_at
        )


async def listed(connection: Connection) -> tuple[AppView, ...]:
    """All apps, by name."""
    return to_structs(await connection.fetch(SQL["apps"]), AppView)


async def find(connection: Connection, app_id: UUID) -> AppView | None:
    """One app, or None."""
    return (await found(connection, [app_id])).get(app_id)


async def found(connection: Connection, app_ids: Sequence[UUID]) -> dict[UUID, AppView]:
    """Those that are there, by id."""
    rows = to_structs(await connection.fetch(SQL["apps_by_id"], app_ids), AppView)
    return {each.id: each for each in rows}


async def statuses(connection: Connection) -> tuple[AppStatus, ...]:
    """How well each app is protected, by name."""
    return to_structs(await connection.fetch(SQL["app_statuses"]), AppStatus)


async def lock_found(connection: Connection, device_id: UUID) -> dict[str, KnownApp]:
    """Those that discoveries of the device found, by key; nobody else changes them meanwhile."""
    rows = to_structs(await connection.fetch(SQL["lock_found_apps"], device_id), KnownApp)
    return {each.key: each for each in rows}


async def names_taken(connection: Connection, start: str) -> frozenset[str]:
    """The names of apps that begin so."""
    return frozenset(row["name"] for row in await connection.fetch(SQL["names_taken"], start))


async def add_found(
    connection: Connection,
    app_id: UUID,
    name: str,
    device_id: UUID,
    found: FoundApp,
    now: datetime,
) -> None:
    """Keep an app that was found; ConflictError when its name is taken."""
    with refusals():
        await connection.execute(
            SQL["add_found_app"], app_id, name, device_id, found.paths(), found.key, found, now
        )


async def found_again(connection: Connection, app_id: UUID, found: FoundApp) -> None:
    """It is there, as it is now."""
    await connection.execute(SQL["app_found_again"], app_id, found, found.paths())


async def vanished(connection: Connection, app_id: UUID, now: datetime) -> None:
    """It has no containers any more."""
    await connection.execute(SQL["app_vanished"], app_id, now)


async def good_backups(connection: Connection) -> dict[UUID, dict[str, datetime]]:
    """When each path was last backed up without a flaw, by configuration."""
    found: dict[UUID, dict[str, datetime]] = {}
    for row in await connection.fetch(SQL["good_backups"]):
        found.setdefault(row["configuration_id"], {})[row["path"]] = row["completed_at"]
    return found
