"""Questions about policies."""

from collections.abc import Sequence
from uuid import UUID

from msgspec import UNSET
from msgspec.structs import replace

from holdfast.catalog.answers.changed import policy_changed
from holdfast.catalog.deps import Deps
from holdfast.catalog.domain import policy as rules
from holdfast.catalog.domain.policy import Terms
from holdfast.catalog.domain.text import checked_name, checked_text
from holdfast.catalog.store import outbox, policies
from holdfast.catalog.store.pool import Connection, reading, transaction
from holdfast.events.changes import Change
from holdfast.events.queries import (
    CreatePolicy,
    DeletePolicy,
    Done,
    GetPolicy,
    ListPolicies,
    UpdatePolicy,
)
from holdfast.events.views import PolicyView
from holdfast.kernel.errors import ConflictError, InvalidRequestError, NotFoundError
from holdfast.kernel.ids import new_id


async def answer_list_policies(_query: ListPolicies, deps: Deps) -> tuple[PolicyView, ...]:
    """All policies, by name."""
    async with reading(deps.pool) as connection:
        return await policies.listed(connection)


async def answer_get_policy(query: GetPolicy, deps: Deps) -> PolicyView:
    """One policy; NotFoundError if there is none."""
    async with reading(deps.pool) as connection:
        return await _found(connection, query.policy_id)


async def answer_create_policy(query: CreatePolicy, deps: Deps) -> PolicyView:
    """Make a policy; one that is the default takes the mark from the one that was."""
    terms = _checked(
        Terms(
            name=query.name,
            description=query.description,
            schedule=query.schedule,
            timezone=query.timezone,
            enabled=query.enabled,
            is_default=query.is_default,
            jitter_seconds=query.jitter_seconds,
            window_start=query.window_start,
            window_end=query.window_end,
            catch_up=query.catch_up,
            fan_out=query.fan_out,
            keep=query.keep,
        ),
        deps,
    )
    policy_id, now = new_id(), deps.now()

    async with transaction(deps.pool) as connection:
        await policies.lock(connection)
        if terms.is_default:
            await _take_default(connection, policy_id, deps)
        await policies.add(connection, policy_id, terms, now)
        await _set_destinations(connection, policy_id, query.destination_ids)
        await outbox.add(connection, policy_changed(policy_id, Change.CREATED, now))
        view = await _found(connection, policy_id)
    deps.wake.set()
    return view


async def answer_update_policy(query: UpdatePolicy, deps: Deps) -> PolicyView:
    """Change what is set, leave what is not."""
    now = deps.now()
    async with transaction(deps.pool) as connection:
        await policies.lock(connection)
        old = policies.terms_of(await _found(connection, query.policy_id))
        new = _checked(rules.changed(old, query), deps)
        if old.is_default and not new.is_default:
            raise ConflictError(
                "There is always a default policy.",
                guidance="Make another policy the default; this one then no longer is.",
            )

        if new.is_default and not old.is_default:
            await _take_default(connection, query.policy_id, deps)
        restarted = rules.restarts_schedule(old, new)
        await policies.update(connection, query.policy_id, new, now, restarted=restarted)
        if query.destination_ids is not UNSET:
            await _set_destinations(connection, query.policy_id, query.destination_ids)
        await outbox.add(connection, policy_changed(query.policy_id, Change.UPDATED, now))
        view = await _found(connection, query.policy_id)
    deps.wake.set()
    return view


async def answer_delete_policy(query: DeletePolicy, deps: Deps) -> Done:
    """Delete a policy that no configuration uses and that is not the default."""
    async with transaction(deps.pool) as connection:
        await policies.lock(connection)
        policy = await _found(connection, query.policy_id)
        if policy.is_default:
            raise ConflictError(
                "The default policy cannot be deleted: new apps are protected by it.",
                guidance="Make another policy the default first.",
            )
        users = await policies.users(connection, query.policy_id)
        if users:
            raise ConflictError(
                f"The policy is in use by {_some(users)}.",
                guidance="Give those apps another policy first.",
            )

        await policies.delete(connection, query.policy_id)
        await outbox.add(connection, policy_changed(query.policy_id, Change.DELETED, deps.now()))
    deps.wake.set()
    return Done()


def _checked(terms: Terms, deps: Deps) -> Terms:
    checked = replace(
        terms,
        name=checked_name(terms.name),
        description=checked_text(terms.description, "description").strip(),
        schedule=rules.checked_schedule(terms.schedule),
        timezone=rules.checked_timezone(terms.timezone, deps.settings.timezone),
        jitter_seconds=rules.checked_jitter(terms.jitter_seconds),
        keep=rules.checked_keep(terms.keep),
    )
    rules.check_window(checked)
    return checked


async def _found(connection: Connection, policy_id: UUID) -> PolicyView:
    view = await policies.find(connection, policy_id)
    if view is None:
        raise NotFoundError(f"There is no policy {policy_id}.")
    return view


async def _take_default(connection: Connection, policy_id: UUID, deps: Deps) -> None:
    """The mark goes to *policy_id*; whoever had it is told of."""
    now = deps.now()
    for former in await policies.unset_default(connection, policy_id, now):
        await outbox.add(connection, policy_changed(former, Change.UPDATED, now))


async def _set_destinations(
    connection: Connection, policy_id: UUID, destination_ids: Sequence[UUID]
) -> None:
    unknown = await policies.set_destinations(connection, policy_id, destination_ids)
    if unknown:
        raise InvalidRequestError(
            f"destination_ids: there is no destination {', '.join(map(str, unknown))}.",
            guidance="A destination can be used once its first run has succeeded.",
        )


def _some(names: Sequence[str], shown: int = 5) -> str:
    """A few of *names*, and how many more there are."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")
