"""Policies and the destinations they list."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from holdfast.catalog.domain.policy import Terms
from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import refusals, the_row, to_structs
from holdfast.catalog.store.sql import load
from holdfast.events.views import KeepRules, PolicyView

SQL = load("policies")


def terms_of(view: PolicyView) -> Terms:
    """What a person decided about a policy."""
    return Terms(
        name=view.name,
        description=view.description,
        schedule=view.schedule,
        timezone=view.timezone,
        enabled=view.enabled,
        is_default=view.is_default,
        jitter_seconds=view.jitter_seconds,
        window_start=view.window_start,
        window_end=view.window_end,
        catch_up=view.catch_up,
        fan_out=view.fan_out,
        keep=KeepRules(**{field: getattr(view, field) for field in KeepRules.__struct_fields__}),
    )


async def lock(connection: Connection) -> None:
    """Until the transaction ends, nobody else writes policies.  First in any that does."""
    await connection.execute(SQL["lock_policies"])


async def listed(connection: Connection) -> tuple[PolicyView, ...]:
    """All policies, by name."""
    return to_structs(await connection.fetch(SQL["policies"], None), PolicyView)


async def find(connection: Connection, policy_id: UUID) -> PolicyView | None:
    """One policy, or None."""
    return (await found(connection, [policy_id])).get(policy_id)


async def found(connection: Connection, policy_ids: Sequence[UUID]) -> dict[UUID, PolicyView]:
    """Those that are there, by id."""
    rows = to_structs(await connection.fetch(SQL["policies"], policy_ids), PolicyView)
    return {each.id: each for each in rows}


async def the_default(connection: Connection) -> UUID:
    """The default policy's id; there is one from the first start on."""
    row = the_row(await connection.fetchrow(SQL["default_policy_id"]))
    found: UUID = row["id"]
    return found


async def add(connection: Connection, policy_id: UUID, terms: Terms, now: datetime) -> None:
    """Keep a policy; ConflictError when its name is taken."""
    with refusals():
        await connection.execute(SQL["add_policy"], policy_id, *_columns(terms), now)


async def add_first(connection: Connection, policy_id: UUID, terms: Terms, now: datetime) -> None:
    """Make the default policy, unless there is one, or one of that name."""
    keep = terms.keep
    await connection.execute(
        SQL["add_first_policy"],
        policy_id,
        terms.name,
        terms.description,
        terms.schedule,
        terms.timezone,
        keep.keep_daily,
        keep.keep_weekly,
        keep.keep_monthly,
        now,
    )


async def update(
    connection: Connection, policy_id: UUID, terms: Terms, now: datetime, *, restarted: bool
) -> None:
    """Write *terms*; *restarted*: due times count from *now*."""
    with refusals():
        await connection.execute(
            SQL["update_policy"], policy_id, *_columns(terms), now, now if restarted else None
        )


async def unset_default(
    connection: Connection, except_for: UUID, now: datetime
) -> tuple[UUID, ...]:
    """Take the mark from any other default policy; those it was taken from."""
    rows = await connection.fetch(SQL["unset_default"], except_for, now)
    return tuple(row["id"] for row in rows)


async def touch(connection: Connection, policy_id: UUID, now: datetime) -> None:
    """Its list of destinations is different from now on."""
    await connection.execute(SQL["touch_policy"], policy_id, now)


async def delete(connection: Connection, policy_id: UUID) -> None:
    """Delete it, its list of destinations with it; nothing may use it."""
    await connection.execute(SQL["delete_policy"], policy_id)


async def users(connection: Connection, policy_id: UUID) -> tuple[str, ...]:
    """The names of the apps that it protects; no new one comes before the transaction ends."""
    await connection.execute(SQL["lock_policy"], policy_id)
    return tuple(row["name"] for row in await connection.fetch(SQL["apps_of_policy"], policy_id))


async def set_destinations(
    connection: Connection, policy_id: UUID, destination_ids: Sequence[UUID]
) -> tuple[UUID, ...]:
    """Make them the policy's list, in this order.

    Returns those that are no destinations in use; when there are any, nothing is changed.
    """
    wanted = list(dict.fromkeys(destination_ids))
    ready = {row["id"] for row in await connection.fetch(SQL["ready_destinations"], wanted)}
    unknown = tuple(one for one in wanted if one not in ready)
    if not unknown:
        await connection.execute(SQL["clear_destinations"], policy_id)
        await connection.execute(SQL["set_destinations"], policy_id, wanted)
    return unknown


async def default_without_destination(connection: Connection) -> UUID | None:
    """The default policy, if its list of destinations is empty."""
    found: UUID | None = await connection.fetchval(SQL["default_policy_without_destination"])
    return found


async def with_destination(
    connection: Connection, destination_id: UUID
) -> tuple[tuple[UUID, str], ...]:
    """Id and name of the policies that list a destination."""
    rows = await connection.fetch(SQL["policies_of_destination"], destination_id)
    return tuple((row["id"], row["name"]) for row in rows)


async def detach(connection: Connection, destination_id: UUID) -> None:
    """Take a destination off every policy's list."""
    await connection.execute(SQL["detach_destination"], destination_id)


def _columns(terms: Terms) -> tuple[object, ...]:
    return (
        terms.name,
        terms.description,
        terms.is_default,
        terms.schedule,
        terms.timezone,
        terms.enabled,
        terms.jitter_seconds,
        terms.window_start,
        terms.window_end,
        terms.catch_up,
        terms.fan_out,
        *msgspec.structs.astuple(terms.keep),
    )
