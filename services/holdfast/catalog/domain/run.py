"""What a run's end leads to.  Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from holdfast.events.base import Work
from holdfast.events.run import Failure, RunStatus
from holdfast.events.snapshot import Replica, Way
from holdfast.events.work import BackupRequested, ForgetAdmitted
from holdfast.kernel.ids import derived_id
from holdfast.restic.tags import Tags, make_tags, parse_tags


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How one destination of a backup ended."""

    id: UUID
    destination_id: UUID
    status: RunStatus
    failure: Failure | None = None


def to_retry(ended: Sequence[Ended]) -> tuple[UUID, ...]:
    """The destinations worth another try: those that failed for a cause that may pass."""
    return tuple(
        each.destination_id
        for each in ended
        if each.status is RunStatus.FAILED and each.failure is not None and each.failure.retryable
    )


def differ(replicas: Sequence[Replica]) -> bool:
    """Whether the snapshots of one run are not the same everywhere."""
    return len({each.tree for each in replicas}) > 1


def is_damage(replicas: Sequence[Replica]) -> bool:
    """Whether a copy is like none that was made from the source.

    Two that were made from the source may differ: it can change between two readings.
    """
    originals = {each.tree for each in replicas if each.way is Way.BACKUP}
    copies = {each.tree for each in replicas if each.way is not Way.BACKUP}
    # Of a run that was taken over, every original may be of an executor that told no tree.
    return bool(copies - originals) if originals else len(copies) > 1


def retry_time(attempt: int, delays: Sequence[float], now: datetime) -> datetime | None:
    """When the try after *attempt* (1 for the first) may start; None: there is none."""
    if attempt > len(delays):
        return None
    return now + timedelta(seconds=delays[attempt - 1])


def after_last_try(failure: Failure | None, attempt: int) -> Failure | None:
    """*failure* as it is told when no other try follows: it says how many there were."""
    if failure is None or not failure.retryable or attempt < 2:
        return failure
    message = f"{failure.message} It was tried {attempt} times."
    return msgspec.structs.replace(failure, message=message)


def retry_work(
    work: BackupRequested, destination_ids: Sequence[UUID], now: datetime
) -> BackupRequested:
    """The same backup for some of its destinations, as a run of its own.

    Ids are derived from the run that failed: told twice, it is the same retry.
    """
    run_id = derived_id("retry", work.run_id)
    targets = tuple(
        msgspec.structs.replace(
            target, snapshot_id=derived_id("snapshot", run_id, target.address.destination_id)
        )
        for target in work.targets
        if target.address.destination_id in destination_ids
    )
    return msgspec.structs.replace(
        work,
        event_id=derived_id(work.TYPE, run_id),
        occurred_at=now,
        run_id=run_id,
        targets=targets,
        tags=make_tags(msgspec.structs.replace(parse_tags(work.tags), run=str(run_id))),
    )


def backup_tags(
    app_id: UUID | None, configuration_id: UUID, run_id: UUID, instance_id: UUID
) -> tuple[str, ...]:
    """By what a snapshot in restic is known to be ours."""
    return make_tags(
        Tags(
            app=str(app_id) if app_id else "",
            configuration=str(configuration_id),
            run=str(run_id),
            instance=str(instance_id),
        )
    )


MOST_DEATHS = 5
"""A run that so many executors died of ends: it would take the next one with it too."""


def dies_again(deaths: int, claim_expired_at: datetime | None) -> bool:
    """Whether a run is given to nobody any more.  An expiry means one death more than counted."""
    return deaths + (claim_expired_at is not None) >= MOST_DEATHS


EXECUTORS_DIED = Failure(
    code="executors_died",
    message=f"The run was taken up {MOST_DEATHS} times, and each time its executor died.",
    guidance="See whether the executor's machine runs out of memory or disk; then start it again.",
)

LOST = Failure(
    code="outcome_lost",
    message="The run ended without a word on this destination.",
    guidance="Look at the executor's log.",
    retryable=True,
)


def not_sent(reason: str) -> Failure:
    """A run whose work can never reach an executor."""
    return Failure(
        code="work_not_sent",
        message="The run's work could not be sent to an executor.",
        guidance="If Holdfast was set back to an older release, start the newer one again; if the "
        "work is too large, choose fewer files or paths.",
        detail=reason,
    )


WINDOW_OVER = Failure(
    code="window_over",
    message="The window in which this backup may start was over before its turn came.",
    guidance="Make the policy's window longer, or spread its starts with jitter.",
)

SUPERSEDED = Failure(
    code="superseded",
    message="A newer backup of the same app was started, so this retry is not needed.",
)

DELETED = Failure(
    code="configuration_deleted",
    message="The configuration was deleted, so this retry is not needed.",
)


def is_newer(plan: ForgetAdmitted, other: Work) -> bool:
    """Whether *plan* was made after the *other* one: words may be repeated, and out of order."""
    if not isinstance(other, ForgetAdmitted) or other.planned_at is None:
        return True
    return plan.planned_at is not None and plan.planned_at > other.planned_at
