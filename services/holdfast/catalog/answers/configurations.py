"""Questions about configurations."""

from uuid import UUID

from holdfast.catalog.answers.changed import configuration_changed
from holdfast.catalog.deps import Deps
from holdfast.catalog.domain import configuration as rules
from holdfast.catalog.domain.configuration import Scope
from holdfast.catalog.domain.run import DELETED
from holdfast.catalog.ending import end_here
from holdfast.catalog.store import configurations, devices, outbox, policies, runs
from holdfast.catalog.store.pool import Connection, reading, transaction
from holdfast.events.changes import Change
from holdfast.events.queries import (
    CreateConfiguration,
    DeleteConfiguration,
    Done,
    GetConfiguration,
    ListConfigurations,
    UpdateConfiguration,
)
from holdfast.events.run import RunStatus
from holdfast.events.views import ConfigurationView
from holdfast.kernel.errors import InvalidRequestError, NotFoundError
from holdfast.kernel.ids import new_id


async def answer_list_configurations(
    query: ListConfigurations, deps: Deps
) -> tuple[ConfigurationView, ...]:
    """All of them, or those of an app, oldest first."""
    async with reading(deps.pool) as connection:
        return await configurations.listed(connection, query.app_id)


async def answer_get_configuration(query: GetConfiguration, deps: Deps) -> ConfigurationView:
    """One of them; NotFoundError if there is none."""
    async with reading(deps.pool) as connection:
        return _found(
            await configurations.find(connection, query.configuration_id),
            query.configuration_id,
        )


async def answer_create_configuration(query: CreateConfiguration, deps: Deps) -> ConfigurationView:
    """Tie an app to a policy; the same tie twice is the one that exists, changed.

    InvalidRequestError names an app or a policy that there is not.
    """
    candidate, now = new_id(), deps.now()
    async with transaction(deps.pool) as connection:
        scope = rules.checked(await _asked(connection, query))
        await _check_drill(connection, scope)
        tie = await configurations.tie(connection, candidate, query.app_id, scope, now)
        change = Change.CREATED if tie.id == candidate else Change.UPDATED
        await outbox.add(connection, configuration_changed(tie.id, change, now))
    deps.wake.set()
    return tie


async def answer_update_configuration(query: UpdateConfiguration, deps: Deps) -> ConfigurationView:
    """Change what is set, leave what is not."""
    now = deps.now()
    async with transaction(deps.pool) as connection:
        old = configurations.scope_of(
            _found(
                await configurations.lock(connection, query.configuration_id),
                query.configuration_id,
            )
        )
        new = rules.checked(rules.changed(old, query))
        if new.drill != old.drill:
            await _check_drill(connection, new)

        view = await configurations.update(
            connection,
            query.configuration_id,
            new,
            now,
            restarted=rules.restarts_schedule(old, new),
        )
        await outbox.add(
            connection, configuration_changed(query.configuration_id, Change.UPDATED, now)
        )
    deps.wake.set()
    return view


async def answer_delete_configuration(query: DeleteConfiguration, deps: Deps) -> Done:
    """Take it out of use; its snapshots stay and can be restored.

    Its retries that wait are cancelled: they would hold its destinations for hours.
    """
    now = deps.now()
    async with transaction(deps.pool) as connection:
        await runs.lock_admission(connection)
        if not await configurations.delete(connection, query.configuration_id, now):
            raise _missing(query.configuration_id)
        for waiting in await runs.pending_retries(connection, [query.configuration_id]):
            await end_here(connection, waiting, RunStatus.CANCELLED, DELETED, now)
        await runs.admit_queued(connection, now)
        await outbox.add(
            connection, configuration_changed(query.configuration_id, Change.DELETED, now)
        )
    deps.wake.set()
    return Done()


async def _check_drill(connection: Connection, scope: Scope) -> None:
    """Raises InvalidRequestError when it is to be on a device that is not known."""
    device_id = scope.drill.device_id
    if device_id is not None and await devices.find(connection, device_id) is None:
        raise InvalidRequestError(
            f"drill: there is no device {device_id}.",
            guidance="Name one of GET /devices, or none for the app's own.",
        )


async def _asked(connection: Connection, query: CreateConfiguration) -> Scope:
    return Scope(
        policy_id=query.policy_id or await policies.the_default(connection),
        backup_volumes=query.backup_volumes,
        backup_compose=query.backup_compose,
        backup_env=query.backup_env,
        include_paths=query.include_paths,
        exclude_paths=query.exclude_paths,
        consistency=query.consistency,
        drill=query.drill,
        enabled=query.enabled,
    )


def _found(view: ConfigurationView | None, configuration_id: UUID) -> ConfigurationView:
    if view is None:
        raise _missing(configuration_id)
    return view


def _missing(configuration_id: UUID) -> NotFoundError:
    return NotFoundError(f"There is no configuration {configuration_id}.")
