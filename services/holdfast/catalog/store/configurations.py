"""Configurations: which app follows which policy."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from holdfast.catalog.domain.configuration import Scope
from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import refusals, the_row, to_struct, to_structs
from holdfast.catalog.store.sql import load
from holdfast.events.system import SystemType
from holdfast.events.views import ConfigurationView

SQL = load("configurations")


def scope_of(view: ConfigurationView) -> Scope:
    """What a person decided about a configuration."""
    return Scope(**{field: getattr(view, field) for field in Scope.__struct_fields__})


async def tie(
    connection: Connection, candidate: UUID, app_id: UUID, scope: Scope, now: datetime
) -> ConfigurationView:
    """Tie the app to the policy, or change the tie there is.

    It has the id *candidate* only when it is new.  InvalidRequestError names an app or a
    policy that there is not.
    """
    with refusals():
        row = await connection.fetchrow(
            SQL["tie"],
            candidate,
            app_id,
            scope.policy_id,
            scope.backup_volumes,
            scope.backup_compose,
            scope.backup_env,
            scope.include_paths,
            scope.exclude_paths,
            scope.consistency,
            scope.drill,
            scope.enabled,
            now,
        )
    return to_struct(the_row(row), ConfigurationView)


async def add_system(
    connection: Connection, id: UUID, kind: SystemType, policy_id: UUID, now: datetime
) -> bool:
    """Back up that part of Holdfast itself.  False: somebody decided about that before."""
    return await connection.fetchval(SQL["add_system"], id, kind, policy_id, now) is not None


async def listed(connection: Connection, app_id: UUID | None) -> tuple[ConfigurationView, ...]:
    """Those of an app, or all, oldest first."""
    return to_structs(await connection.fetch(SQL["configurations"], app_id), ConfigurationView)


async def find(connection: Connection, configuration_id: UUID) -> ConfigurationView | None:
    """One that is not deleted, or None."""
    row = await connection.fetchrow(SQL["configuration"], configuration_id)
    return None if row is None else to_struct(row, ConfigurationView)


async def lock(connection: Connection, configuration_id: UUID) -> ConfigurationView | None:
    """The same, and nobody else changes it before the transaction ends."""
    return next(iter(await lock_all(connection, [configuration_id])), None)


async def lock_all(
    connection: Connection, configuration_ids: Sequence[UUID]
) -> tuple[ConfigurationView, ...]:
    """Those that are there, and nobody else changes them before the transaction ends."""
    rows = await connection.fetch(SQL["lock_configurations"], configuration_ids)
    return to_structs(rows, ConfigurationView)


async def update(
    connection: Connection,
    configuration_id: UUID,
    scope: Scope,
    now: datetime,
    *,
    restarted: bool,
) -> ConfigurationView:
    """Write *scope*; *restarted*: due times count from *now*.  It must be locked.

    ConflictError when the app is tied to that policy already.
    """
    with refusals():
        row = await connection.fetchrow(
            SQL["update_configuration"],
            configuration_id,
            scope.policy_id,
            scope.backup_volumes,
            scope.backup_compose,
            scope.backup_env,
            scope.include_paths,
            scope.exclude_paths,
            scope.consistency,
            scope.drill,
            scope.enabled,
            now,
            now if restarted else None,
        )
    return to_struct(the_row(row), ConfigurationView)


async def delete(connection: Connection, configuration_id: UUID, now: datetime) -> bool:
    """Take it out of use; False when there is none."""
    row = await connection.fetchrow(SQL["delete_configuration"], configuration_id, now)
    return row is not None


async def bring_back(
    connection: Connection, configuration_id: UUID, app_id: UUID, policy_id: UUID, now: datetime
) -> None:
    """Keep one that only the tags of snapshots tell of; switched off, and never due."""
    for statement in ("bring_back", "bring_back_deleted"):
        await connection.execute(SQL[statement], configuration_id, app_id, policy_id, now)
