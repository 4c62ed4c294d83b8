"""``rebuild``: find the settings that a repository carries, and tell the catalog."""

from holdfast.events.queries import ManifestFound
from holdfast.events.run import RebuildResult, RunStatus
from holdfast.events.work import RebuildRequested
from holdfast.executor.attempt import Attempt
from holdfast.executor.domain import Outcome
from holdfast.executor.locks import unless_locked
from holdfast.executor.manifest import newest
from holdfast.executor.reach import identify, reach
from holdfast.executor.takeover import end_predecessor


async def run(attempt: Attempt, work: RebuildRequested) -> Outcome:
    """Only reads.  Told twice, the later word counts, and both say the same."""
    return await attempt.hold.guard(_rebuild(attempt, work))


async def _rebuild(attempt: Attempt, work: RebuildRequested) -> Outcome:
    await end_predecessor(attempt)
    restic = await reach(attempt, work.address)
    repository_id = await identify(restic, work.address)
    export = await unless_locked(attempt, work.address, lambda: newest(restic), exclusive=False)
    if export is not None:
        await attempt.ask(
            ManifestFound(run_id=work.run_id, claim=attempt.claim.claim, export=export)
        )
    return Outcome(
        status=RunStatus.SUCCESS,
        result=RebuildResult(
            repository_id=repository_id,
            manifest_at=None if export is None else export.exported_at,
        ),
    )
