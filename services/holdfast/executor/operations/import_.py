"""``import``: tell the catalog which snapshots are in a repository."""

from collections.abc import Iterator, Sequence

from holdfast.events.run import ImportResult, RunStatus
from holdfast.events.snapshot import FoundSnapshot, SnapshotsFound
from holdfast.events.work import ImportRequested
from holdfast.executor.attempt import Attempt
from holdfast.executor.domain import Outcome, outcome_id
from holdfast.executor.locks import unless_locked
from holdfast.executor.reach import identify, reach
from holdfast.executor.takeover import end_predecessor
from holdfast.restic.commands import snapshots
from holdfast.restic.commands.snapshots import Snapshot
from holdfast.restic.messages import BackupSummary

BYTES_TOLD = 200_000
"""About so many in one event: the bus takes a megabyte."""


async def run(attempt: Attempt, work: ImportRequested) -> Outcome:
    """Only reads.  Told twice, it is recorded once."""
    repository_id, found = await attempt.hold.guard(_look(attempt, work))
    for number, some in enumerate(_parts(found)):
        event_id = outcome_id(SnapshotsFound, work.run_id, attempt.claim.claim, number)
        await attempt.say(
            SnapshotsFound(
                event_id=event_id,
                occurred_at=attempt.deps.now(),
                run_id=work.run_id,
                claim=attempt.claim.claim,
                destination_id=work.address.destination_id,
                snapshots=some,
            )
        )
    return Outcome(
        status=RunStatus.SUCCESS,
        result=ImportResult(snapshots=len(found), repository_id=repository_id),
    )


async def _look(attempt: Attempt, work: ImportRequested) -> tuple[str, tuple[Snapshot, ...]]:
    await end_predecessor(attempt)
    restic = await reach(attempt, work.address)
    repository_id = await identify(restic, work.address)
    found = await unless_locked(
        attempt, work.address, lambda: snapshots.run(restic), exclusive=False
    )
    return repository_id, found


def _parts(found: Sequence[Snapshot]) -> Iterator[tuple[FoundSnapshot, ...]]:
    part: list[FoundSnapshot] = []
    size = 0
    for each in found:
        part.append(_told(each))
        size += 500 + sum(len(text) for text in (*each.paths, *each.tags))
        if size >= BYTES_TOLD:
            yield tuple(part)
            part, size = [], 0
    if part:
        yield tuple(part)


def _told(snapshot: Snapshot) -> FoundSnapshot:
    summary = snapshot.summary or BackupSummary()
    seconds = 0.0
    if summary.backup_start is not None and summary.backup_end is not None:
        seconds = max(0.0, (summary.backup_end - summary.backup_start).total_seconds())
    return FoundSnapshot(
        restic_snapshot_id=snapshot.id,
        hostname=snapshot.hostname,
        paths=snapshot.paths,
        tags=snapshot.tags,
        tree=snapshot.tree,
        taken_at=summary.backup_start or snapshot.time,
        files_new=summary.files_new,
        files_changed=summary.files_changed,
        files_unmodified=summary.files_unmodified,
        data_added=summary.data_added,
        data_added_packed=summary.data_added_packed,
        total_bytes_processed=summary.total_bytes_processed,
        duration_seconds=seconds,
    )
