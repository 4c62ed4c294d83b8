"""Apps."""

from collections.abc import Sequence
from uuid import UUID

from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import refusals, to_structs
from holdfast.catalog.store.sql import load
from holdfast.events.views import AppStatus, AppView

SQL = load("apps")


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
