"""``probe``: can the destination be written to, and does its repository open."""

from holdfast.events.run import ProbeResult, RunStatus
from holdfast.events.work import ProbeRequested
from holdfast.executor.attempt import Attempt
from holdfast.executor.domain import Outcome
from holdfast.executor.reach import identify, missing


async def run(attempt: Attempt, work: ProbeRequested) -> Outcome:
    """Leaves nothing behind but what was there."""
    return await attempt.hold.guard(_probe(attempt, work))


async def _probe(attempt: Attempt, work: ProbeRequested) -> Outcome:
    found = await attempt.storage(work.address).probe(write=True)
    if not found.has_config:
        raise missing(work.address)
    repository_id = await identify(attempt.restic(work.address), work.address)
    return Outcome(status=RunStatus.SUCCESS, result=ProbeResult(repository_id=repository_id))
