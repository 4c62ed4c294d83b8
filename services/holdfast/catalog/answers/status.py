"""The whole house at a glance."""

from holdfast.catalog.deps import Deps
from holdfast.catalog.store import apps, destinations, runs
from holdfast.catalog.store.pool import reading
from holdfast.events.queries import GetStatus
from holdfast.events.views import StatusView


async def answer_get_status(_query: GetStatus, deps: Deps) -> StatusView:
    """How well each app is protected, and what is going on."""
    async with reading(deps.pool) as connection:
        active, queued = await runs.counts(connection)
        return StatusView(
            apps=await apps.statuses(connection),
            destinations=await destinations.listed(connection),
            runs_active=active,
            runs_queued=queued,
        )
