"""Apps."""

from uuid import UUID

from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import refusals, to_struct, to_structs
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
    row = await connection.fetchrow(SQL["app"], app_id)
    return None if row is None else to_struct(row, AppView)


async def statuses(connection: Connection) -> tuple[AppStatus, ...]:
    """How well each app is protected, by name."""
    return to_structs(await connection.fetch(SQL["app_statuses"]), AppStatus)
