"""Destinations: from the moment somebody wants one until it is out of use."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from holdfast.catalog.domain.destination import NewDestination
from holdfast.catalog.store import outbox, policies
from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import refusals, to_struct, to_structs
from holdfast.catalog.store.sql import load
from holdfast.events.changes import Change, DestinationChanged, PolicyChanged
from holdfast.events.limits import Limits
from holdfast.events.run import ProtectionTestResult
from holdfast.events.views import DestinationView
from holdfast.events.work import DestinationAddress
from holdfast.kernel.ids import new_id

SQL = load("destinations")


class SealedSecrets(msgspec.Struct, frozen=True, kw_only=True):
    """What opens a destination, as it is stored: ``CatalogSecrets`` opens it."""

    id: UUID
    """The destination's: the seal is bound to it."""
    sealed_secrets: bytes


async def add(
    connection: Connection,
    new: NewDestination,
    sealed: SealedSecrets,
    now: datetime,
    *,
    password_is_ours: bool,
    prune_timezone: str,
) -> None:
    """Keep a destination that nobody sees yet.

    ConflictError when its name or its place is taken; InvalidRequestError without its device.
    """
    with refusals():
        await connection.execute(
            SQL["add_destination"],
            sealed.id,
            new.name,
            new.type,
            new.s3_endpoint,
            new.s3_bucket,
            new.s3_region,
            new.s3_prefix,
            new.device_id,
            new.parent_path,
            new.local_path,
            new.place,
            sealed.sealed_secrets,
            password_is_ours,
            prune_timezone,
            now,
            new.max_runs,
            new.limits,
            new.append_only,
        )


async def listed(connection: Connection) -> tuple[DestinationView, ...]:
    """All destinations in use, by name."""
    return to_structs(await connection.fetch(SQL["destinations"], None), DestinationView)


async def find(connection: Connection, destination_id: UUID) -> DestinationView | None:
    """One destination in use, or None."""
    row = await connection.fetchrow(SQL["destinations"], destination_id)
    return None if row is None else to_struct(row, DestinationView)


async def lock(connection: Connection, destination_id: UUID) -> str | None:
    """Its name, and nobody attaches it to a policy before the transaction ends; or None."""
    row = await connection.fetchrow(SQL["lock_destination"], destination_id)
    return None if row is None else row["name"]


async def ours_before(connection: Connection, place: str) -> SealedSecrets | None:
    """What opens the repository that a removed destination left at *place*, if we made it."""
    row = await connection.fetchrow(SQL["ours_before"], place)
    return None if row is None else to_struct(row, SealedSecrets)


async def unfinished_runs(connection: Connection, destination_id: UUID) -> int:
    """How many runs wait for it or are at it."""
    count: int = await connection.fetchval(SQL["unfinished_runs"], destination_id)
    return count


async def update(
    connection: Connection,
    destination_id: UUID,
    now: datetime,
    *,
    max_runs: int | None,
    limits: Limits | None,
    append_only: bool | None,
) -> None:
    """Change how it is used; None leaves as it is."""
    await connection.execute(
        SQL["update_destination"], destination_id, max_runs, limits, append_only, now
    )


async def remove(connection: Connection, destination_id: UUID, now: datetime) -> None:
    """Take it out of use: its name and place are free, its data and its row stay."""
    await connection.execute(SQL["remove_destination"], destination_id, now)


async def addresses(
    connection: Connection, ids: Iterable[UUID], *, only_enabled: bool = False
) -> dict[UUID, DestinationAddress]:
    """Where they are, by id; removed ones too, because their snapshots can be restored."""
    found = await connection.fetch(SQL["addresses"], list(ids), only_enabled)
    rows = to_structs(found, DestinationAddress)
    return {address.destination_id: address for address in rows}


async def site_of(connection: Connection, destination_id: UUID, default: str) -> str:
    """Where the executors are that reach it: beside its device; *default* when any does."""
    row = await connection.fetchrow(SQL["sites"], [destination_id])
    return default if row is None or row["site"] is None else row["site"]


async def sealed_secrets(connection: Connection, ids: Iterable[UUID]) -> tuple[SealedSecrets, ...]:
    """What opens them, still sealed."""
    return to_structs(await connection.fetch(SQL["sealed_secrets"], list(ids)), SealedSecrets)


async def destination_became_ready(
    connection: Connection, destination_id: UUID, repository_id: str, now: datetime
) -> None:
    """Its init run has succeeded: from now on it is seen and used.

    The first one goes to the default policy, so that apps are protected from here on
    without anybody having to attach it.  Told twice, it changes nothing.
    """
    await policies.lock(connection)
    row = await connection.fetchrow(SQL["destination_is_ready"], destination_id, repository_id, now)
    if row is None:
        return

    await outbox.add(
        connection,
        DestinationChanged(
            event_id=new_id(),
            occurred_at=now,
            destination_id=destination_id,
            change=Change.CREATED,
        ),
    )
    policy_id = await policies.default_without_destination(connection)
    if policy_id is None:
        return
    await policies.set_destinations(connection, policy_id, [destination_id])
    await policies.touch(connection, policy_id, now)
    await outbox.add(
        connection,
        PolicyChanged(
            event_id=new_id(), occurred_at=now, policy_id=policy_id, change=Change.UPDATED
        ),
    )


async def destination_failed(connection: Connection, destination_id: UUID) -> None:
    """Its init run has not succeeded: nothing of it stays.  One that is in use is left alone."""
    await connection.execute(SQL["drop_failed_destination"], destination_id)


async def prune_needed(connection: Connection, destination_id: UUID) -> None:
    """Its repository holds data that no snapshot needs."""
    await connection.execute(SQL["prune_needed"], destination_id)


async def pruned(connection: Connection, destination_id: UUID, size: int, now: datetime) -> None:
    """Its space was freed; *size* bytes remain."""
    await connection.execute(SQL["pruned"], destination_id, size, now)


async def needs_prune(connection: Connection, destination_id: UUID) -> bool | None:
    """Whether there is something to free; None: there is no such destination in use."""
    found: bool | None = await connection.fetchval(SQL["needs_prune"], destination_id)
    return found


async def protection_tested(
    connection: Connection, destination_id: UUID, result: ProtectionTestResult, now: datetime
) -> None:
    """A canary there was attacked: what was refused is what it protects from."""
    refused = [each.attack.value for each in result.attacks if each.refused]
    await connection.execute(
        SQL["protection_tested"], destination_id, refused, now, result.append_only
    )
