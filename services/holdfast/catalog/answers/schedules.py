"""What the scheduler and retention ask."""

from holdfast.catalog.deps import Deps
from holdfast.catalog.store import configurations, destinations, ledger, policies, runs, snapshots
from holdfast.catalog.store.pool import reading
from holdfast.events.queries import (
    GetPruneView,
    GetRetentionView,
    ListSchedules,
    PruneView,
    RetentionView,
    ScheduleEntry,
)
from holdfast.events.views import KeepRules
from holdfast.kernel.errors import NotFoundError


async def answer_list_schedules(_query: ListSchedules, deps: Deps) -> tuple[ScheduleEntry, ...]:
    """All that is enabled and comes due."""
    async with reading(deps.pool) as connection:
        return await ledger.schedules(connection)


async def answer_get_retention_view(query: GetRetentionView, deps: Deps) -> RetentionView:
    """What of a configuration is at a destination, and what its policy keeps."""
    async with reading(deps.pool) as connection:
        configuration = await configurations.find(connection, query.configuration_id)
        policy = await policies.find(connection, configuration.policy_id) if configuration else None
        if policy is None:
            # A deleted configuration's snapshots have no rules any more: all of them stay.
            raise NotFoundError("The configuration is deleted.")
        run = await runs.find(connection, query.run_id)
        known = await snapshots.known(connection, query.configuration_id, query.destination_id)
    return RetentionView(
        recorded=run is not None and run.status.is_outcome,
        keep=KeepRules(**{name: getattr(policy, name) for name in KeepRules.__struct_fields__}),
        snapshots=known,
        timezone=policy.timezone,
    )


async def answer_get_prune_view(query: GetPruneView, deps: Deps) -> PruneView:
    """Whether freeing space is worth a run."""
    async with reading(deps.pool) as connection:
        needed = await destinations.needs_prune(connection, query.destination_id)
    if needed is None:
        raise NotFoundError(f"There is no destination {query.destination_id}.")
    return PruneView(needed=needed)
