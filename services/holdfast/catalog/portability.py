"""Bringing a document of settings in: decided by the plan, written in one transaction."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from holdfast.catalog.answers.changed import (
    configuration_changed,
    destination_changed,
    policy_changed,
)
from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.destination import checked_secrets
from holdfast.catalog.domain.portable import Plan, Planner, Step
from holdfast.catalog.domain.portable_check import checked
from holdfast.catalog.store import destinations, devices, outbox, policies, portable
from holdfast.catalog.store.destinations import SealedSecrets
from holdfast.catalog.store.pool import Connection
from holdfast.events.changes import Change
from holdfast.events.portable import Export, Portable, PortableDestination, Secrets
from holdfast.events.queries import Verdict
from holdfast.events.work import DestinationSecrets
from holdfast.kernel.errors import InvalidRequestError


async def bring_in(
    connection: Connection,
    file: Export,
    secrets: Secrets,
    deps: Deps,
    *,
    replace: bool = False,
    dry_run: bool = False,
    found_at: UUID | None = None,
) -> Plan:
    """Decide, and unless it is a *dry_run* write.  The plan says what came of each thing.

    *found_at* is the destination in which the document was found, for a rebuild.  Raises
    InvalidRequestError for a document that breaks a rule, ConflictError when somebody else
    was quicker.
    """
    now = deps.now()
    await policies.lock(connection)
    await devices.lock_ways(connection)
    file = checked(file, deps.settings.timezone)
    here = await portable.read(connection, deps.instance_id, now)
    opened = await _opened(connection, here, deps)
    for each in file.destinations:
        if each.id in secrets:
            _check(each, secrets[each.id])

    def same_secrets(file_id: UUID, here_id: UUID) -> bool | None:
        return None if file_id not in secrets else secrets[file_id] == opened.get(here_id)

    plan = Planner(file, here, same_secrets, replace=replace, found_at=found_at).plan()
    if dry_run:
        return plan
    opening = {
        step.item.id: _secrets(step, file_id, secrets, opened)
        for step, file_id in zip(
            plan.destinations, (each.id for each in file.destinations), strict=True
        )
        if step.is_written or step.renames
    }
    sealed = {id: deps.secrets.seal_destination(id, each) for id, each in opening.items()}
    maintained = {id for id, each in opening.items() if each.has_maintenance}
    logins = {
        step.item.id: deps.secrets.seal_device(step.item.id, login)
        for step, file_id in zip(plan.devices, (each.id for each in file.devices), strict=True)
        if (step.is_written or step.renames)
        and (login := secrets.get(file_id) or opened.get(step.renames or step.item.id))
    }
    await portable.write(connection, plan, sealed, maintained, logins, now)
    await devices.check_ways(connection)
    await _tell(connection, plan, now)
    return plan


async def _opened(
    connection: Connection, here: Export, deps: Deps
) -> dict[UUID, DestinationSecrets]:
    ids = [each.id for each in here.destinations]
    rows: tuple[SealedSecrets, ...] = await destinations.sealed_secrets(connection, ids)
    devices_here = [each.id for each in here.devices]
    logins = await devices.sealed_secrets(connection, devices_here)
    return {row.id: deps.secrets.open_destination(row) for row in rows} | {
        id: deps.secrets.open_device(id, sealed) for id, sealed in logins.items()
    }


def _check(destination: PortableDestination, secrets: DestinationSecrets) -> None:
    checked_secrets(destination.type, secrets)
    if not secrets.repo_password:
        raise InvalidRequestError(
            f"The password of destination {destination.name!r} is empty.",
            guidance="An import adopts repositories; it makes none.",
        )


def _secrets(
    step: Step[PortableDestination],
    file_id: UUID,
    secrets: Secrets,
    opened: Mapping[UUID, DestinationSecrets],
) -> DestinationSecrets:
    """The file's, or those that it has here already."""
    given = secrets.get(file_id)
    return given if given is not None else opened[step.renames or step.item.id]


async def _tell(connection: Connection, plan: Plan, now: datetime) -> None:
    for destination in plan.destinations:
        if destination.is_written:
            await outbox.add(
                connection, destination_changed(destination.item.id, _change(destination), now)
            )
    for policy in plan.policies:
        if policy.is_written:
            await outbox.add(connection, policy_changed(policy.item.id, _change(policy), now))
    for tie in plan.configurations:
        if tie.is_written:
            await outbox.add(connection, configuration_changed(tie.item.id, _change(tie), now))


def _change(step: Step[Portable]) -> Change:
    return Change.CREATED if step.entry.verdict is Verdict.CREATED else Change.UPDATED
