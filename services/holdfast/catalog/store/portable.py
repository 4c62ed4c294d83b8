"""All settings at once: read as one document, and written as a plan says."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from holdfast.catalog.domain.portable import Plan, Step, place_of
from holdfast.catalog.store import policies
from holdfast.catalog.store.destinations import SealedSecrets
from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import refusals, to_structs
from holdfast.catalog.store.sql import load
from holdfast.events.portable import (
    Export,
    PortableApp,
    PortableConfiguration,
    PortableDestination,
    PortableDevice,
    PortablePolicy,
)

SQL = load("portable")


async def read(connection: Connection, instance_id: UUID, now: datetime) -> Export:
    """Everything, as of one moment if the transaction is repeatable."""
    return Export(
        instance_id=instance_id,
        exported_at=now,
        devices=to_structs(await connection.fetch(SQL["devices"]), PortableDevice),
        destinations=to_structs(await connection.fetch(SQL["destinations"]), PortableDestination),
        policies=to_structs(await connection.fetch(SQL["policies"]), PortablePolicy),
        apps=to_structs(await connection.fetch(SQL["apps"]), PortableApp),
        configurations=to_structs(
            await connection.fetch(SQL["configurations"]), PortableConfiguration
        ),
    )


async def write(
    connection: Connection,
    plan: Plan,
    sealed: dict[UUID, SealedSecrets],
    maintained: Collection[UUID],
    logins: dict[UUID, bytes],
    now: datetime,
) -> None:
    """Take every step of *plan*; *sealed* has the secrets of each destination that it writes,
    *maintained* those with a second pair of keys among them, and *logins* those of devices.

    The table of policies must be locked.  ConflictError when somebody else took a name meanwhile.
    """
    with refusals():
        for device in plan.devices:
            await _device(connection, device, logins.get(device.item.id))
        for destination in plan.destinations:
            await _destination(connection, destination, sealed, maintained, now)
        if any(step.is_written and step.item.is_default for step in plan.policies):
            await policies.unset_default(connection, _default(plan), now)
        for policy in plan.policies:
            await _policy(connection, policy, now)
        for app in plan.apps:
            if app.is_written:
                await connection.execute(SQL["put_app"], app.item)
        for configuration in plan.configurations:
            if configuration.is_written:
                await connection.execute(SQL["put_configuration"], configuration.item, now)


async def manifest_due(connection: Connection, ids: Sequence[UUID]) -> tuple[str, tuple[UUID, ...]]:
    """The digest of all settings, and which of the destinations do not carry it."""
    digest: str = await connection.fetchval(SQL["manifest_digest"])
    rows = await connection.fetch(SQL["manifest_due"], ids, digest)
    return digest, tuple(row["id"] for row in rows)


async def manifest_kept(connection: Connection, destination_id: UUID, digest: str) -> None:
    """Its repository carries the settings of that digest."""
    await connection.execute(SQL["manifest_kept"], destination_id, digest)


async def add_found(connection: Connection, run_id: UUID, export: Export) -> None:
    """Keep what a run found, until it has ended."""
    await connection.execute(SQL["add_found_manifest"], run_id, export)


async def take_found(connection: Connection, run_id: UUID) -> Export | None:
    """What the run found, once."""
    found = await connection.fetchval(SQL["take_found_manifest"], run_id)
    return None if found is None else msgspec.convert(found, Export)


async def _device(connection: Connection, step: Step[PortableDevice], login: bytes | None) -> None:
    if step.renames is not None:
        await connection.execute(SQL["move_places"], step.renames, step.item.id)
        await connection.execute(
            SQL["rename_device"], step.renames, step.item.id, step.item.created_at, login
        )
    if step.is_written:
        await connection.execute(SQL["put_device"], step.item, login)


async def _destination(
    connection: Connection,
    step: Step[PortableDestination],
    sealed: dict[UUID, SealedSecrets],
    maintained: Collection[UUID],
    now: datetime,
) -> None:
    item = step.item
    if step.renames is not None:
        secrets = sealed[item.id].sealed_secrets
        await connection.execute(
            SQL["rename_destination"], step.renames, item.id, item.created_at, secrets
        )
        await connection.execute(SQL["rename_in_runs"], step.renames, item.id)
    if step.is_written:
        secrets = sealed[item.id].sealed_secrets
        has_maintenance = item.id in maintained
        await connection.execute(
            SQL["put_destination"], item, secrets, now, place_of(item), has_maintenance
        )


async def _policy(connection: Connection, step: Step[PortablePolicy], now: datetime) -> None:
    item = step.item
    if step.renames is not None:
        await connection.execute(SQL["rename_policy"], step.renames, item.id, item.created_at)
    if step.is_written:
        await connection.execute(SQL["put_policy"], item, now)
        await policies.set_destinations(connection, item.id, item.destination_ids)


def _default(plan: Plan) -> UUID:
    return next(step.item.id for step in plan.policies if step.is_written and step.item.is_default)
