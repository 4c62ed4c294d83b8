"""Questions about what runs on devices, and whether it is protected."""

from holdfast.catalog.deps import Deps
from holdfast.catalog.discovering import covered, queue
from holdfast.catalog.domain.device import is_known
from holdfast.catalog.store import devices, runs
from holdfast.catalog.store.pool import transaction
from holdfast.events.queries import DiscoverDevice, GetCoverage
from holdfast.events.run import RunStatus, Trigger
from holdfast.events.views import CoverageEntry, RunAccepted
from holdfast.kernel.errors import InvalidRequestError, NotFoundError


async def answer_discover_device(query: DiscoverDevice, deps: Deps) -> RunAccepted:
    """Queue a run that asks a device's container engines.

    InvalidRequestError for a device that was never reached.
    """
    async with transaction(deps.pool) as connection:
        await runs.lock_admission(connection)
        device = await devices.find(connection, query.device_id)
        if device is None:
            raise NotFoundError(f"There is no device {query.device_id}.")
        if not is_known(device):
            raise InvalidRequestError(
                f"{device.name} was never reached.",
                guidance="Test the device first; that pins its host key.",
            )
        work = await queue(connection, device, Trigger.MANUAL, deps)
        view = await runs.find(connection, work.run_id)
    deps.wake.set()
    return RunAccepted(run_id=work.run_id, status=RunStatus.QUEUED if view is None else view.status)


async def answer_get_coverage(_query: GetCoverage, deps: Deps) -> tuple[CoverageEntry, ...]:
    """All of it, as of one moment."""
    async with transaction(deps.pool, isolation="repeatable_read") as connection:
        return await covered(connection, deps.now())
