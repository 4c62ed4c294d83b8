"""After each backup: what goes.  At a repository's own time: whether space is to be freed."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from holdfast.bus.errors import RetryLater
from holdfast.events.base import Event, follow_up_id
from holdfast.events.due import PruneDue
from holdfast.events.queries import GetPruneView, GetRetentionView, Query, RetentionView
from holdfast.events.retention import ForgetRequested, PruneRequested
from holdfast.events.run import Operation, RunCompleted, RunStatus
from holdfast.kernel.clock import Now
from holdfast.kernel.errors import HoldfastError, NotFoundError
from holdfast.kernel.ids import derived_id
from holdfast.retention.domain import SnapshotRef, plan_retention
from holdfast.telemetry.logs import Log

R = TypeVar("R")
log = Log("retention")

RECORD_SECONDS = 0.5
"""The catalog hears of the run at the same time as we do, and needs a moment to record it."""

PATIENCE = timedelta(hours=1)
"""A run that is not recorded by then never will be.  The next backup's plan covers what this
one would have."""


class Speaks(Protocol):
    """What is needed of the bus."""

    async def publish(self, event: Event) -> None: ...

    async def request(self, query: Query[R], *, timeout: float = ...) -> R: ...


@dataclass(frozen=True)
class Deps:
    """What the handlers are given."""

    bus: Speaks
    now: Now


async def on_run_completed(event: RunCompleted, deps: Deps) -> None:
    """Ask for what the policy no longer keeps to be forgotten, at each destination.

    Raises RetryLater while the catalog has not recorded the run: a plan without the
    newest snapshot would keep one too many.
    """
    made_a_snapshot = event.status in (RunStatus.SUCCESS, RunStatus.PARTIAL)
    if event.operation is not Operation.BACKUP or not made_a_snapshot:
        return
    if event.configuration_id is None:
        return
    for destination_id in event.destination_ids:
        await _forget(event, event.configuration_id, destination_id, deps)


async def on_prune_due(event: PruneDue, deps: Deps) -> None:
    """Ask for a prune, unless there is nothing that it could free."""
    try:
        view = await deps.bus.request(GetPruneView(destination_id=event.destination_id))
    except HoldfastError as error:
        _unless_gone(error, event.destination_id)
        return

    if not view.needed:
        return

    await deps.bus.publish(
        PruneRequested(
            event_id=follow_up_id(event, PruneRequested),
            occurred_at=deps.now(),
            run_id=derived_id("prune", event.destination_id, event.event_id),
            destination_id=event.destination_id,
        )
    )


async def _forget(
    event: RunCompleted, configuration_id: UUID, destination_id: UUID, deps: Deps
) -> None:
    question = GetRetentionView(
        run_id=event.run_id, configuration_id=configuration_id, destination_id=destination_id
    )
    try:
        view = await deps.bus.request(question)
    except HoldfastError as error:
        _unless_gone(error, destination_id)
        return
    if not view.recorded:
        _wait_for_the_record(event, view.claim, deps)
        return

    forget = _no_longer_kept(view)
    if not forget:
        return

    # Of the run and not of its event: the run's end may be told twice, by two claims.
    run_id = derived_id("forget", event.run_id, destination_id)
    await deps.bus.publish(
        ForgetRequested(
            event_id=derived_id(ForgetRequested.TYPE, run_id),
            occurred_at=deps.now(),
            run_id=run_id,
            configuration_id=configuration_id,
            destination_id=destination_id,
            restic_snapshot_ids=forget,
        )
    )


def _no_longer_kept(view: RetentionView) -> tuple[str, ...]:
    snapshots = [
        SnapshotRef(id=each.restic_snapshot_id, time=each.time, is_complete=each.is_complete)
        for each in view.snapshots
    ]
    return plan_retention(snapshots, view.keep, ZoneInfo(view.timezone)).forget


def _wait_for_the_record(event: RunCompleted, newest_claim: int | None, deps: Deps) -> None:
    """Raise RetryLater, or give it up: at once when the run has passed to another claim, which
    will tell its own end, or once it has taken too long.

    Who waits here holds up every forget behind it.
    """
    if newest_claim != event.claim:
        log.info("fenced_out", run_id=str(event.run_id), claim=event.claim, newest=newest_claim)
        return
    if deps.now() - event.occurred_at < PATIENCE:
        raise RetryLater(RECORD_SECONDS)
    log.warning("run_never_recorded", run_id=str(event.run_id))


def _unless_gone(error: HoldfastError, destination_id: UUID) -> None:
    """Raise *error* again, unless it says that the thing was deleted meanwhile."""
    if error.code != NotFoundError.code:
        raise error
    log.info("nothing_to_retain", destination_id=str(destination_id))
