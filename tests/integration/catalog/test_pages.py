"""Lists in pages, restores, and the whole house at a glance."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from holdfast.catalog.answers.destinations import answer_remove_destination
from holdfast.catalog.answers.devices import answer_list_devices
from holdfast.catalog.answers.runs import answer_list_runs
from holdfast.catalog.answers.snapshots import (
    answer_get_snapshot,
    answer_list_snapshots,
    answer_restore_snapshot,
)
from holdfast.catalog.answers.status import answer_get_status
from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import on_run_completed, on_snapshot_completed, on_snapshot_failed
from holdfast.events.queries import (
    GetSnapshot,
    GetStatus,
    ListDevices,
    ListRuns,
    ListSnapshots,
    RemoveDestination,
    RestoreSnapshot,
)
from holdfast.events.restoring import RestoreMode
from holdfast.events.run import Operation, RestoreResult, RunStatus
from holdfast.events.views import RunView
from holdfast.kernel.errors import ConflictError, InvalidRequestError, NotFoundError
from holdfast.kernel.ids import new_id
from support.catalog import Clock
from support.runs import (
    STAYS,
    Protected,
    claimed,
    protected_app,
    run_ended,
    run_of,
    snapshot_failed,
    snapshot_made,
    started,
)

pytestmark = pytest.mark.postgres


async def backed_up(
    deps: Deps, clock: Clock, protected: Protected, *, good: bool = True
) -> RunView:
    run = await started(deps, protected)
    claim = (await claimed(deps, run.id)).claim
    if good:
        await on_snapshot_completed(snapshot_made(run, claim, clock()), deps)
        await on_run_completed(run_ended(run, claim, clock()), deps)
    else:
        await on_snapshot_failed(snapshot_failed(run, claim, clock(), failure=STAYS), deps)
        ended = run_ended(run, claim, clock(), status=RunStatus.FAILED, failure=STAYS)
        await on_run_completed(ended, deps)
    return run


def ids(rows: Iterable[Any]) -> list[UUID]:
    return [row.id for row in rows]


async def test_pages_show_every_run_once_newest_first(deps: Deps, clock: Clock) -> None:
    protected = await protected_app(deps)
    # Some at the same moment, so that the place is more than a time.
    runs = []
    for number in range(7):
        clock.advance(seconds=number % 2)
        runs.append(await backed_up(deps, clock, protected))
    whole = await answer_list_runs(ListRuns(operation=Operation.BACKUP), deps)

    found: list[UUID] = []
    cursor: str | None = None
    while True:
        query = ListRuns(operation=Operation.BACKUP, limit=3, cursor=cursor)
        page = await answer_list_runs(query, deps)
        found += ids(page.runs)
        cursor = page.next_cursor
        if cursor is None:
            break

    assert found == ids(whole.runs)
    assert set(found) == set(ids(runs))
    assert whole.next_cursor is None
    times = [run.queued_at for run in whole.runs]
    assert times == sorted(times, reverse=True)


async def test_pages_of_snapshots_by_what_they_belong_to(deps: Deps, clock: Clock) -> None:
    one = await protected_app(deps, name="one", destinations=("A", "B"))
    run = await started(deps, one)
    claim = (await claimed(deps, run.id)).claim
    await on_snapshot_completed(snapshot_made(run, claim, clock()), deps)
    await on_snapshot_failed(snapshot_failed(run, claim, clock(), place=1), deps)
    await on_run_completed(run_ended(run, claim, clock(), status=RunStatus.PARTIAL), deps)
    clock.advance(hours=1)
    two = await protected_app(deps, name="two", destinations=("A",))
    other = await backed_up(deps, clock, two)

    async def found(**filters: Any) -> set[UUID]:
        return set(ids((await answer_list_snapshots(ListSnapshots(**filters), deps)).snapshots))

    good, bad = run.snapshot_ids
    (retry,) = await deps.pool.fetch(
        "select s.id from snapshot s join run r on r.id = s.run_id where r.trigger = 'retry'"
    )
    assert await found(app_id=two.app.id) == set(other.snapshot_ids)
    assert await found(configuration_id=one.configuration_id) == {good, bad, retry["id"]}
    assert await found(destination_id=one.destination_ids[0]) == {good, *other.snapshot_ids}
    assert await found(status=RunStatus.FAILED) == {bad}
    assert await found(app_id=one.app.id, status=RunStatus.SUCCESS) == {good}
    page = await answer_list_snapshots(ListSnapshots(limit=1), deps)
    assert page.next_cursor is not None
    rest = await answer_list_snapshots(ListSnapshots(cursor=page.next_cursor), deps)
    assert len({*ids(page.snapshots), *ids(rest.snapshots)}) == 4


@pytest.mark.parametrize("cursor", ["?", "AAAA", "bm9uc2Vuc2U", "é", "a" * 200])
async def test_a_cursor_that_is_not_ours_is_refused(deps: Deps, cursor: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"^cursor"):
        await answer_list_runs(ListRuns(cursor=cursor), deps)
    with pytest.raises(InvalidRequestError, match=r"^cursor"):
        await answer_list_snapshots(ListSnapshots(cursor=cursor), deps)


@pytest.mark.parametrize("limit", [0, -1, 501])
async def test_a_limit_that_will_not_do_is_refused(deps: Deps, limit: int) -> None:
    with pytest.raises(InvalidRequestError, match=r"^limit"):
        await answer_list_runs(ListRuns(limit=limit), deps)


# ---- restores


async def restore(deps: Deps, snapshot_id: UUID, **fields: Any) -> RunView:
    (device,) = await answer_list_devices(ListDevices(), deps)
    query = RestoreSnapshot(
        snapshot_id=snapshot_id,
        target_device_id=fields.pop("target_device_id", device.id),
        target_path=fields.pop("target_path", "/tmp/back"),
        **fields,
    )
    return await run_of(deps, (await answer_restore_snapshot(query, deps)).run_id)


async def work_of(deps: Deps, run: RunView) -> Any:
    return await deps.pool.fetchval("select work from run where id = $1", run.id)


async def test_a_restore_is_a_run_that_knows_all_it_needs(deps: Deps, clock: Clock) -> None:
    protected = await protected_app(deps)
    run = await backed_up(deps, clock, protected)

    restoring = await restore(
        deps,
        run.snapshot_ids[0],
        target_path="/tmp//back/",
        files=("srv/immich/a", "/srv//immich/b", "/srv/immich/a"),
        mode=RestoreMode.IF_CHANGED,
        verify=True,
    )

    assert (restoring.operation, restoring.status) == (Operation.RESTORE, RunStatus.IN_PROGRESS)
    assert restoring.destination_ids == protected.destination_ids
    work = await work_of(deps, restoring)
    assert (work["restic_snapshot_id"], work["target_path"]) == ("aa11", "/tmp/back")
    assert work["files"] == ["/srv/immich/a", "/srv/immich/b"]
    assert (work["mode"], work["verify"]) == ("if_changed", True)
    claim = (await claimed(deps, restoring.id)).claim
    result = RestoreResult(restored_path="/tmp/back", files_restored=2, bytes_restored=9)
    await on_run_completed(run_ended(restoring, claim, clock(), result=result), deps)
    assert (await run_of(deps, restoring.id)).result == result


async def test_a_destination_out_of_use_is_still_restored_from(deps: Deps, clock: Clock) -> None:
    protected = await protected_app(deps)
    run = await backed_up(deps, clock, protected)
    (destination_id,) = protected.destination_ids
    await answer_remove_destination(
        RemoveDestination(destination_id=destination_id, detach=True), deps
    )

    restoring = await restore(deps, run.snapshot_ids[0])

    assert (await claimed(deps, restoring.id)).sealed_secrets


async def test_what_is_not_there_cannot_be_restored(deps: Deps, clock: Clock) -> None:
    protected = await protected_app(deps)
    failed = await backed_up(deps, clock, protected, good=False)
    gone = await backed_up(deps, clock, protected)
    await deps.pool.execute("update snapshot set forgotten_at = now() where run_id = $1", gone.id)

    for run in (failed, gone):
        with pytest.raises(ConflictError) as caught:
            await restore(deps, run.snapshot_ids[0])
        assert caught.value.code == "not_restorable"
    with pytest.raises(NotFoundError):
        await restore(deps, new_id())


@pytest.mark.parametrize(
    "fields",
    [
        {"target_path": "back"},
        {"target_path": ""},
        {"target_path": "/tmp/../etc"},
        {"files": ("/srv/../etc/shadow",)},
        {"files": ("",)},
        {"target_device_id": new_id()},
    ],
    ids=str,
)
async def test_a_restore_that_will_not_do_is_refused(
    deps: Deps, clock: Clock, fields: dict[str, Any]
) -> None:
    run = await backed_up(deps, clock, await protected_app(deps))

    with pytest.raises(InvalidRequestError):
        await restore(deps, run.snapshot_ids[0], **fields)


# ---- at a glance


async def test_the_whole_house_at_a_glance(deps: Deps, clock: Clock) -> None:
    protected = await protected_app(deps)
    await backed_up(deps, clock, protected)
    # restic's own end, not when it was told.
    good_at = clock() + timedelta(seconds=1.4)
    clock.advance(days=1)
    await backed_up(deps, clock, protected, good=False)
    await started(deps, await protected_app(deps, name="second"))

    status = await answer_get_status(GetStatus(), deps)

    (immich, second) = status.apps
    assert (immich.name, immich.configuration_id) == ("immich", protected.configuration_id)
    assert (immich.last_success_at, immich.last_status) == (good_at, RunStatus.FAILED)
    assert (second.last_success_at, second.last_status) == (None, RunStatus.IN_PROGRESS)
    assert ids(status.destinations) == list(protected.destination_ids)
    assert (status.runs_active, status.runs_queued) == (1, 0)


async def test_a_snapshot_that_there_is_not(deps: Deps) -> None:
    with pytest.raises(NotFoundError):
        await answer_get_snapshot(GetSnapshot(snapshot_id=new_id()), deps)
