"""Destinations: from the moment somebody wants one until it is out of use."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from holdfast.catalog.domain.destination import NewDestination
from holdfast.catalog.store import outbox, policies
from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import refusals, to_struct, to_structs
from holdfast.catalog.store.sql import load
from holdfast.events.changes import Change, DestinationChanged, PolicyChanged
from holdfast.events.run import ProtectionTestResult, Reached
from holdfast.events.views import DestinationView
from holdfast.events.work import DestinationAddress
from holdfast.kernel.ids import new_id
from holdfast.storage.base import fingerprint_of

SQL = load("destinations")


class SealedSecrets(msgspec.Struct, frozen=True, kw_only=True):
    """What opens a destination, as it is stored: ``CatalogSecrets`` opens it."""

    id: UUID
    """The destination's: the seal is bound to it."""
    sealed_secrets: bytes


class TakenIntoKit(msgspec.Struct, frozen=True, kw_only=True):
    """A destination for the recovery kit."""

    id: UUID
    name: str
    in_use: bool
    device: str
    sealed_secrets: bytes

    @property
    def sealed(self) -> SealedSecrets:
        """What opens it, still sealed."""
        return SealedSecrets(id=self.id, sealed_secrets=self.sealed_secrets)


async def add(
    connection: Connection,
    new: NewDestination,
    sealed: SealedSecrets,
    now: datetime,
    *,
    password_is_ours: bool,
    has_maintenance: bool,
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
            new.s3_addressing,
            new.s3_ca_certificate,
            new.sftp_host,
            new.sftp_port,
            new.sftp_user,
            new.sftp_path,
            new.sftp_host_key,
            "" if new.object_lock is None else new.object_lock.mode,
            0 if new.object_lock is None else new.object_lock.days,
            has_maintenance,
            new.limits,
            new.append_only,
        )


async def listed(connection: Connection) -> tuple[DestinationView, ...]:
    """All destinations in use, by name."""
    return tuple(_view(row) for row in await connection.fetch(SQL["destinations"], None))


async def find(connection: Connection, destination_id: UUID) -> DestinationView | None:
    """One destination in use, or None."""
    row = await connection.fetchrow(SQL["destinations"], destination_id)
    return None if row is None else _view(row)


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


async def devices_of(connection: Connection, ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """The device that each is on; those that are on none are left out."""
    rows = await connection.fetch(SQL["devices_of"], list(ids))
    return {row["id"]: row["local_device_id"] for row in rows}


async def first(connection: Connection) -> DestinationAddress | None:
    """The oldest one in use, enabled or not; None when there is none yet."""
    found: UUID | None = await connection.fetchval(SQL["first_destination"])
    return None if found is None else (await addresses(connection, [found]))[found]


async def siblings(connection: Connection, destination_id: UUID) -> tuple[DestinationAddress, ...]:
    """The others that are in use, the oldest first."""
    ids = [row["id"] for row in await connection.fetch(SQL["siblings"], destination_id)]
    found = await addresses(connection, ids)
    return tuple(found[each] for each in ids)


async def site_of(connection: Connection, destination_id: UUID, default: str) -> str:
    """Where the executors are that reach it: beside its device; *default* when any does."""
    row = await connection.fetchrow(SQL["sites"], [destination_id])
    return default if row is None or row["site"] is None else row["site"]


async def sealed_secrets(
    connection: Connection, ids: Iterable[UUID], run_id: UUID | None = None
) -> tuple[SealedSecrets, ...]:
    """What opens them for a run, still sealed."""
    rows = await connection.fetch(SQL["sealed_secrets"], list(ids), run_id)
    return to_structs(rows, SealedSecrets)


async def change(connection: Connection, view: DestinationView, now: datetime) -> None:
    """Keep what needs no test.  ConflictError when the name is taken."""
    with refusals():
        await connection.execute(
            SQL["change_destination"],
            view.id,
            view.name,
            view.enabled,
            view.max_runs,
            now,
            view.limits,
            view.append_only,
        )


async def password_is_ours(connection: Connection, destination_id: UUID) -> bool:
    """Whether Holdfast made the password of its repository."""
    ours: bool = await connection.fetchval(SQL["password_is_ours"], destination_id)
    return ours


async def try_change(
    connection: Connection,
    run_id: UUID,
    sealed: SealedSecrets,
    *,
    password_is_ours: bool,
    s3_ca_certificate: str,
    has_maintenance: bool,
) -> None:
    """Keep new credentials for the run that tries them.  ConflictError while another does."""
    with refusals():
        await connection.execute(
            SQL["add_change"],
            run_id,
            sealed.id,
            sealed.sealed_secrets,
            password_is_ours,
            s3_ca_certificate,
            has_maintenance,
        )


async def tries_change(connection: Connection, run_id: UUID) -> bool:
    """Whether the run tries new credentials."""
    tries: bool = await connection.fetchval(SQL["tries_change"], run_id)
    return tries


async def was_probed(
    connection: Connection, run_id: UUID, destination_id: UUID, result: Reached, now: datetime
) -> None:
    """It was reached; credentials that the run tried take the place of the old ones."""
    await connection.execute(SQL["recognised"], destination_id, result.config_digest)
    if await connection.fetchval(SQL["take_change"], run_id, result.host_key, now) is None:
        return
    await outbox.add(
        connection,
        DestinationChanged(
            event_id=new_id(),
            occurred_at=now,
            destination_id=destination_id,
            change=Change.UPDATED,
        ),
    )


async def not_probed(connection: Connection, run_id: UUID) -> None:
    """Credentials that the run tried are dropped; the old ones stay."""
    await connection.execute(SQL["drop_change"], run_id)


async def take_into_kit(connection: Connection) -> tuple[TakenIntoKit, ...]:
    """All whose repositories are there, those in use first; from now on the kit has them."""
    rows = to_structs(await connection.fetch(SQL["take_into_kit"]), TakenIntoKit)
    return tuple(sorted(rows, key=lambda each: (not each.in_use, each.name, each.id)))


async def destination_became_ready(
    connection: Connection, destination_id: UUID, result: Reached, now: datetime
) -> bool:
    """Its init run has succeeded: from now on it is seen and used.

    The first one goes to the default policy, so that apps are protected from here on
    without anybody having to attach it.  False: it was told before.
    """
    await policies.lock(connection)
    row = await connection.fetchrow(
        SQL["destination_is_ready"],
        destination_id,
        result.repository_id,
        result.config_digest,
        result.host_key,
        now,
    )
    if row is None:
        return False

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
        return True
    await policies.set_destinations(connection, policy_id, [destination_id])
    await policies.touch(connection, policy_id, now)
    await outbox.add(
        connection,
        PolicyChanged(
            event_id=new_id(), occurred_at=now, policy_id=policy_id, change=Change.UPDATED
        ),
    )
    return True


async def destination_failed(
    connection: Connection, destination_id: UUID, now: datetime, *, tried: bool
) -> None:
    """Its init run has not succeeded: nobody ever saw it.  One that is in use is left alone.

    Was it *tried*, by an executor that may have made the repository and not have got rid of
    it, the password that Holdfast made for it is kept for ``ours_before``.
    """
    if tried and await connection.fetchval(SQL["retire_failed_destination"], destination_id, now):
        await connection.execute(SQL["drop_former_failures"], destination_id)
        return
    await connection.execute(SQL["drop_failed_destination"], destination_id)


async def identified(connection: Connection, destination_id: UUID, repository_id: str) -> None:
    """Its repository was opened; the id is kept if none was known."""
    await connection.execute(SQL["identified"], destination_id, repository_id)


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


async def protect_due(connection: Connection, now: datetime) -> tuple[UUID, ...]:
    """Those whose object lock is to be kept up by now, and of which no run is at it."""
    return tuple(row["id"] for row in await connection.fetch(SQL["protect_due"], now))


async def protect_at(connection: Connection, destination_id: UUID, moment: datetime) -> None:
    """Keep its object lock up at *moment* at latest, if it has one."""
    await connection.execute(SQL["protect_at"], destination_id, moment)


async def protect_queued(connection: Connection, destination_id: UUID, next_at: datetime) -> None:
    """A run does it now; the next one is due at *next_at*, or when something is written."""
    await connection.execute(SQL["protect_queued"], destination_id, next_at)


async def protected(connection: Connection, destination_id: UUID, since: datetime) -> None:
    """Its object lock holds all that was there at *since*."""
    await connection.execute(SQL["protected"], destination_id, since)


def _view(row: asyncpg.Record) -> DestinationView:
    fingerprint = fingerprint_of(row["sftp_host_key"] or "") or None
    return msgspec.convert({**row, "sftp_host_key_fingerprint": fingerprint}, DestinationView)


async def protection_tested(
    connection: Connection, destination_id: UUID, result: ProtectionTestResult, now: datetime
) -> None:
    """A canary there was attacked: what was refused is what it protects from."""
    refused = [each.attack.value for each in result.attacks if each.refused]
    await connection.execute(
        SQL["protection_tested"], destination_id, refused, now, result.append_only
    )
