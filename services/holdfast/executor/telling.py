"""How a backup went at one destination, said as soon as it is known."""

from datetime import datetime

from holdfast.events.run import Failure, RunStatus
from holdfast.events.snapshot import SnapshotCompleted, SnapshotFailed
from holdfast.events.work import BackupRequested, BackupTarget
from holdfast.executor.attempt import Attempt
from holdfast.executor.domain import (
    Listable,
    TargetOutcome,
    outcome_id,
    seconds_between,
    target_named,
)
from holdfast.executor.made import Made


async def tell_completed(
    attempt: Attempt, work: BackupRequested, target: BackupTarget, made: Made
) -> TargetOutcome:
    """The snapshot is there."""
    summary = made.summary
    status = RunStatus.PARTIAL if made.partial else RunStatus.SUCCESS
    await attempt.say(
        SnapshotCompleted(
            event_id=outcome_id(
                SnapshotCompleted, work.run_id, attempt.claim.claim, target.snapshot_id
            ),
            occurred_at=attempt.deps.now(),
            snapshot_id=target.snapshot_id,
            run_id=work.run_id,
            claim=attempt.claim.claim,
            configuration_id=work.configuration_id,
            destination_id=target.address.destination_id,
            app_id=work.app_id,
            status=status,
            restic_snapshot_id=made.snapshot_id,
            hostname=work.hostname,
            paths=work.paths,
            started_at=made.began_at,
            files_new=summary.files_new,
            files_changed=summary.files_changed,
            files_unmodified=summary.files_unmodified,
            data_added=summary.data_added,
            data_added_packed=summary.data_added_packed,
            total_bytes_processed=summary.total_bytes_processed,
            duration_seconds=made.seconds,
            unreadable_files=made.unreadable,
            unreadable_count=made.unreadable_count,
            tree=made.tree,
            way=made.way,
        )
    )
    return TargetOutcome(
        name=target_named(target),
        status=status,
        unreadable_count=made.unreadable_count,
        unreadable_files=made.unreadable,
        listable=Listable(
            snapshot_id=target.snapshot_id,
            address=target.address,
            restic_snapshot_id=made.snapshot_id,
            tree=made.tree,
        ),
    )


async def tell_failed(
    attempt: Attempt,
    work: BackupRequested,
    target: BackupTarget,
    began: datetime,
    failure: Failure,
    status: RunStatus,
) -> TargetOutcome:
    """There is none, and why."""
    now = attempt.deps.now()
    await attempt.say(
        SnapshotFailed(
            event_id=outcome_id(
                SnapshotFailed, work.run_id, attempt.claim.claim, target.snapshot_id
            ),
            occurred_at=now,
            snapshot_id=target.snapshot_id,
            run_id=work.run_id,
            claim=attempt.claim.claim,
            configuration_id=work.configuration_id,
            destination_id=target.address.destination_id,
            app_id=work.app_id,
            status=status,
            started_at=began,
            duration_seconds=seconds_between(began, now),
            failure=failure,
        )
    )
    return TargetOutcome(name=target_named(target), status=status, failure=failure)
