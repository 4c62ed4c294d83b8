"""What retention asks for when a backup has ended and when a prune is due."""

from datetime import UTC, datetime, timedelta

import pytest

from holdfast.bus.errors import RetryLater
from holdfast.bus.testing import RecordingBus
from holdfast.events.due import PruneDue
from holdfast.events.queries import (
    GetPruneView,
    GetRetentionView,
    PruneView,
    RetentionView,
    SnapshotFact,
)
from holdfast.events.retention import ForgetRequested, PruneRequested
from holdfast.events.run import Operation, RunCompleted, RunStatus
from holdfast.events.views import KeepRules
from holdfast.kernel.errors import HoldfastError, NotFoundError, UnavailableError
from holdfast.kernel.ids import derived_id, new_id
from holdfast.retention.handlers import PATIENCE, Deps, on_prune_due, on_run_completed

NOW = datetime(2026, 3, 10, 2, 5, tzinfo=UTC)
NAS, CLOUD = derived_id("nas"), derived_id("cloud")


def deps(bus: RecordingBus, now: datetime = NOW) -> Deps:
    return Deps(bus=bus, now=lambda: now)


def completed(
    status: RunStatus = RunStatus.SUCCESS, operation: Operation = Operation.BACKUP
) -> RunCompleted:
    return RunCompleted(
        event_id=new_id(),
        occurred_at=NOW,
        run_id=derived_id("run"),
        claim=1,
        operation=operation,
        status=status,
        started_at=NOW,
        configuration_id=derived_id("photos"),
        destination_ids=(NAS, CLOUD),
    )


def view(
    *,
    keep: KeepRules | None = None,
    recorded: bool = True,
    days: int = 5,
    claim: int | None = 1,
    partial_days: int = 0,
) -> RetentionView:
    snapshots = [
        SnapshotFact(
            restic_snapshot_id=f"{day:064x}",
            time=NOW - timedelta(days=day),
            is_complete=day >= partial_days,
        )
        for day in range(days)
    ]
    return RetentionView(
        recorded=recorded,
        claim=claim,
        keep=keep or KeepRules(keep_last=3),
        snapshots=tuple(snapshots),
        timezone="UTC",
    )


@pytest.mark.parametrize("status", [RunStatus.SUCCESS, RunStatus.PARTIAL])
async def test_what_is_no_longer_kept_is_to_be_forgotten_at_each_destination(
    status: RunStatus,
) -> None:
    bus = RecordingBus({GetRetentionView: view()})

    await on_run_completed(completed(status), deps(bus))

    assert [type(each) for each in bus.published] == [ForgetRequested, ForgetRequested]
    first, second = bus.published
    assert isinstance(first, ForgetRequested)
    assert isinstance(second, ForgetRequested)
    assert (first.destination_id, second.destination_id) == (NAS, CLOUD)
    assert first.run_id != second.run_id
    assert set(first.restic_snapshot_ids) == {f"{3:064x}", f"{4:064x}"}


async def test_a_repeat_asks_for_the_same_run() -> None:
    bus = RecordingBus({GetRetentionView: view()})

    await on_run_completed(completed(), deps(bus))
    await on_run_completed(completed(), deps(bus, NOW + timedelta(minutes=1)))

    assert len({each.event_id for each in bus.published}) == 2
    assert len({each.run_id for each in bus.published if isinstance(each, ForgetRequested)}) == 2


async def test_partial_ones_never_push_out_the_last_complete_one() -> None:
    bus = RecordingBus({GetRetentionView: view(days=6, partial_days=4)})

    await on_run_completed(completed(RunStatus.PARTIAL), deps(bus))

    asked = bus.published[0]
    assert isinstance(asked, ForgetRequested)
    assert set(asked.restic_snapshot_ids) == {f"{3:064x}", f"{5:064x}"}  # not day 4, the last whole


async def test_nothing_is_asked_for_when_everything_is_kept() -> None:
    bus = RecordingBus({GetRetentionView: view(keep=KeepRules())})

    await on_run_completed(completed(), deps(bus))

    assert bus.published == []


@pytest.mark.parametrize(
    "event",
    [
        completed(RunStatus.FAILED),
        completed(RunStatus.CANCELLED),
        completed(operation=Operation.RESTORE),
        completed(operation=Operation.FORGET),
        completed(operation=Operation.PRUNE),
    ],
)
async def test_only_a_backup_that_made_a_snapshot_matters(event: RunCompleted) -> None:
    bus = RecordingBus()

    await on_run_completed(event, deps(bus))

    assert bus.asked == []


@pytest.mark.parametrize("claim", [2, None])
async def test_an_end_that_is_never_recorded_holds_up_no_other(claim: int | None) -> None:
    bus = RecordingBus({GetRetentionView: view(recorded=False, claim=claim)})

    await on_run_completed(completed(), deps(bus))

    assert bus.published == []


async def test_it_waits_until_the_catalog_has_recorded_the_run() -> None:
    bus = RecordingBus({GetRetentionView: view(recorded=False)})

    with pytest.raises(RetryLater) as wish:
        await on_run_completed(completed(), deps(bus))

    assert wish.value.delay_seconds == 0.5
    assert bus.published == []


async def test_it_does_not_wait_for_ever() -> None:
    bus = RecordingBus({GetRetentionView: view(recorded=False)})

    await on_run_completed(completed(), deps(bus, NOW + PATIENCE))

    assert bus.published == []


async def test_a_destination_that_is_gone_does_not_keep_the_others_from_it() -> None:
    def answer(query: GetRetentionView) -> RetentionView:
        if query.destination_id == NAS:
            raise NotFoundError
        return view()

    bus = RecordingBus({GetRetentionView: answer})

    await on_run_completed(completed(), deps(bus))

    (event,) = bus.published
    assert isinstance(event, ForgetRequested)
    assert event.destination_id == CLOUD


async def test_a_catalog_that_is_away_is_asked_again_later() -> None:
    with pytest.raises(UnavailableError):
        await on_run_completed(completed(), deps(RecordingBus()))


def prune_due() -> PruneDue:
    return PruneDue(
        event_id=derived_id("due"), occurred_at=NOW, destination_id=NAS, scheduled_for=NOW
    )


async def test_a_prune_that_could_free_something_is_asked_for_and_once() -> None:
    bus = RecordingBus({GetPruneView: PruneView(needed=True)})

    await on_prune_due(prune_due(), deps(bus))
    await on_prune_due(prune_due(), deps(bus, NOW + timedelta(minutes=1)))

    first, second = bus.published
    assert isinstance(first, PruneRequested)
    assert isinstance(second, PruneRequested)
    assert first.destination_id == NAS
    assert (first.event_id, first.run_id) == (second.event_id, second.run_id)


async def test_a_prune_that_could_free_nothing_is_not_asked_for() -> None:
    bus = RecordingBus({GetPruneView: PruneView(needed=False)})

    await on_prune_due(prune_due(), deps(bus))

    assert bus.published == []


async def test_a_destination_that_is_gone_is_not_pruned_and_other_errors_are_raised() -> None:
    def gone(_: GetPruneView) -> PruneView:
        raise NotFoundError

    def broken(_: GetPruneView) -> PruneView:
        raise HoldfastError

    await on_prune_due(prune_due(), deps(RecordingBus({GetPruneView: gone})))
    with pytest.raises(HoldfastError):
        await on_prune_due(prune_due(), deps(RecordingBus({GetPruneView: broken})))
