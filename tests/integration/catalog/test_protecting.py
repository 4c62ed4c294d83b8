"""Object locks: when they are kept up, with which keys, and what an undelete means here."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from holdfast.catalog.answers.destinations import (
    answer_add_destination,
    answer_get_destination,
    answer_undelete_destination,
    answer_update_destination,
)
from holdfast.catalog.answers.snapshots import answer_get_snapshot
from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import (
    on_forget_requested,
    on_run_completed,
    on_snapshot_completed,
    on_snapshot_failed,
)
from holdfast.catalog.keeper import Keeper
from holdfast.catalog.protecting import AGAIN_AFTER, EVERY
from holdfast.events.queries import (
    AddDestination,
    GetDestination,
    GetSnapshot,
    UndeleteDestination,
    UpdateDestination,
    claim_purpose,
)
from holdfast.events.retention import ForgetRequested
from holdfast.events.run import (
    ForgetResult,
    InitResult,
    Operation,
    ProbeResult,
    ProtectResult,
    RunStatus,
    Trigger,
    UndeleteResult,
)
from holdfast.events.views import DestinationView, RunView
from holdfast.events.work import DestinationSecrets, DestinationType, LockMode, ObjectLock
from holdfast.kernel.errors import InvalidRequestError, NotFoundError
from holdfast.kernel.ids import new_id
from holdfast.secretbox.envelope import ReceiverKey
from support.catalog import Clock
from support.destinations import ready_destination, sealed
from support.runs import (
    PASSES,
    claimed,
    protected_app,
    run_ended,
    run_of,
    snapshot_failed,
    snapshot_made,
    started,
)

pytestmark = pytest.mark.postgres

LOCK = ObjectLock(mode=LockMode.COMPLIANCE, days=30)
HELD = ProtectResult(retained=7, renewed=7, swept=0, swept_bytes=0)
KEYS = DestinationSecrets(
    repo_password="",
    s3_access_key="everyday",
    s3_secret_key="everyday secret",
    s3_maintenance_access_key="upkeep",
    s3_maintenance_secret_key="upkeep secret",
)
NOTHING = DestinationSecrets(repo_password="")


async def added(deps: Deps, lock: ObjectLock | None = LOCK, **fields: Any) -> UUID:
    """The id of a bucket whose init run is queued."""
    accepted = await answer_add_destination(
        AddDestination(
            name="A",
            type=DestinationType.S3,
            s3_endpoint="s3.example.org",
            s3_bucket="house",
            object_lock=lock,
            sealed_secrets=sealed(deps, msgspec.structs.replace(KEYS, **fields)),
        ),
        deps,
    )
    assert accepted.destination_id is not None
    return accepted.destination_id


async def ready(deps: Deps, clock: Clock, lock: ObjectLock | None = LOCK) -> DestinationView:
    destination_id = await added(deps, lock)
    (run,) = await runs_of(deps, Operation.INIT)
    await end(deps, clock, run, InitResult(repository_id="ab12"))
    return await answer_get_destination(GetDestination(destination_id=destination_id), deps)


async def runs_of(deps: Deps, operation: Operation) -> list[RunView]:
    rows = await deps.pool.fetch(
        "select id from run where operation = $1 order by queued_at, id", operation
    )
    return [await run_of(deps, each["id"]) for each in rows]


async def end(deps: Deps, clock: Clock, run: RunView, result: Any, **fields: Any) -> None:
    claim = (await claimed(deps, run.id)).claim
    await on_run_completed(run_ended(run, claim, clock(), result=result, **fields), deps)


async def broken_off(deps: Deps, clock: Clock, backup: RunView) -> None:
    """A backup of which only packs are left."""
    claim = (await claimed(deps, backup.id)).claim
    await on_snapshot_failed(snapshot_failed(backup, claim, clock()), deps)
    ended = run_ended(backup, claim, clock(), status=RunStatus.FAILED, failure=PASSES)
    await on_run_completed(ended, deps)


async def keys_of(deps: Deps, run: RunView) -> DestinationSecrets:
    """What an executor that claims *run* is handed."""
    key = ReceiverKey.generate()
    claim = await claimed(deps, run.id, key=key)
    plain = key.open(claim.sealed_secrets, claim_purpose(run.id, claim.claim))
    (opened,) = msgspec.json.decode(plain, type=dict[UUID, DestinationSecrets]).values()
    return opened


# ---- when


async def test_a_new_destination_is_locked_at_once_then_daily_and_after_a_backup(
    deps: Deps, clock: Clock
) -> None:
    destination, keeper = await ready(deps, clock), Keeper(deps)
    assert destination.object_lock == LOCK
    assert destination.protected_at is None

    for _ in range(3):
        await keeper.step()
    (first,) = await runs_of(deps, Operation.PROTECT)
    assert (first.status, first.trigger) == (RunStatus.IN_PROGRESS, Trigger.RETENTION)
    await end(deps, clock, first, HELD)
    view = await answer_get_destination(GetDestination(destination_id=destination.id), deps)
    assert view.protected_at == clock()

    clock.advance(seconds=EVERY.total_seconds() - 1)
    await keeper.step()
    assert len(await runs_of(deps, Operation.PROTECT)) == 1
    clock.advance(seconds=1)
    await keeper.step()
    assert len(await runs_of(deps, Operation.PROTECT)) == 2
    await end(deps, clock, (await runs_of(deps, Operation.PROTECT))[1], HELD)

    backup = await started(deps, await protected_app(deps, destinations=("A",)))
    claim = (await claimed(deps, backup.id)).claim
    await on_snapshot_completed(snapshot_made(backup, claim, clock()), deps)
    await on_run_completed(run_ended(backup, claim, clock()), deps)
    await keeper.step()
    assert len(await runs_of(deps, Operation.PROTECT)) == 3


async def test_what_a_backup_wrote_while_one_ran_is_locked_by_the_next(
    deps: Deps, clock: Clock
) -> None:
    await ready(deps, clock)
    keeper = Keeper(deps)
    await keeper.step()
    (first,) = await runs_of(deps, Operation.PROTECT)
    backup = await started(deps, await protected_app(deps, destinations=("A",)))
    await broken_off(deps, clock, backup)
    await keeper.step()
    assert len(await runs_of(deps, Operation.PROTECT)) == 1

    await end(deps, clock, first, HELD)
    await keeper.step()

    assert len(await runs_of(deps, Operation.PROTECT)) == 2


async def test_one_that_failed_is_done_again_and_claims_nothing(deps: Deps, clock: Clock) -> None:
    destination, keeper = await ready(deps, clock), Keeper(deps)
    await keeper.step()
    (first,) = await runs_of(deps, Operation.PROTECT)
    await end(deps, clock, first, None, status=RunStatus.FAILED, failure=PASSES)

    clock.advance(seconds=AGAIN_AFTER.total_seconds() - 1)
    await keeper.step()
    assert len(await runs_of(deps, Operation.PROTECT)) == 1
    clock.advance(seconds=1)
    await keeper.step()
    assert len(await runs_of(deps, Operation.PROTECT)) == 2
    view = await answer_get_destination(GetDestination(destination_id=destination.id), deps)
    assert view.protected_at is None


async def test_a_destination_without_lock_is_left_alone(deps: Deps, clock: Clock) -> None:
    await ready(deps, clock, lock=None)
    backup = await started(deps, await protected_app(deps, destinations=("A",)))
    await broken_off(deps, clock, backup)
    clock.advance(days=9)

    await Keeper(deps).step()

    assert await runs_of(deps, Operation.PROTECT) == []


# ---- with which keys


async def test_each_operation_is_handed_its_own_keys_and_no_others(
    deps: Deps, clock: Clock
) -> None:
    destination_id = await added(deps)
    (init,) = await runs_of(deps, Operation.INIT)
    both = await keys_of(deps, init)
    assert (both.s3_access_key, both.s3_maintenance_access_key) == ("everyday", "upkeep")
    clock.advance(minutes=1)
    await end(deps, clock, init, InitResult(repository_id="ab12"))
    assert (
        await answer_get_destination(GetDestination(destination_id=destination_id), deps)
    ).has_maintenance_credentials

    backup = await started(deps, await protected_app(deps, destinations=("A",)))
    await Keeper(deps).step()
    (protect,) = await runs_of(deps, Operation.PROTECT)
    for run, name in ((backup, "everyday"), (protect, "upkeep")):
        handed = await keys_of(deps, run)
        assert (handed.s3_access_key, handed.s3_secret_key) == (name, f"{name} secret")
        assert handed.s3_maintenance_access_key == ""
        assert handed.s3_maintenance_secret_key == ""


async def test_half_a_second_pair_is_refused(deps: Deps) -> None:
    with pytest.raises(InvalidRequestError, match="maintenance"):
        await added(deps, s3_maintenance_secret_key="")


@pytest.mark.parametrize("days", [0, -1, 3651])
async def test_a_lock_of_no_days_or_for_ever_is_refused(deps: Deps, days: int) -> None:
    with pytest.raises(InvalidRequestError, match="object_lock"):
        await added(deps, ObjectLock(mode=LockMode.COMPLIANCE, days=days))


# ---- undelete


async def test_an_undelete_makes_forgotten_snapshots_known_again(deps: Deps, clock: Clock) -> None:
    destination = await ready(deps, clock)
    protected = await protected_app(deps, destinations=("A",))
    snapshots = []
    for name in ("aa11", "bb22"):
        backup = await started(deps, protected)
        claim = (await claimed(deps, backup.id)).claim
        await on_snapshot_completed(snapshot_made(backup, claim, clock(), restic_id=name), deps)
        await on_run_completed(run_ended(backup, claim, clock()), deps)
        snapshots.append(backup.snapshot_ids[0])
    asked = ForgetRequested(
        event_id=new_id(),
        occurred_at=clock(),
        run_id=new_id(),
        configuration_id=protected.configuration_id,
        destination_id=destination.id,
        restic_snapshot_ids=("aa11",),
    )
    await on_forget_requested(asked, deps)
    forget = await run_of(deps, asked.run_id)
    await end(deps, clock, forget, ForgetResult(restic_snapshot_ids=("aa11",)))
    assert (await answer_get_snapshot(GetSnapshot(snapshot_id=snapshots[0]), deps)).forgotten_at

    accepted = await answer_undelete_destination(
        UndeleteDestination(destination_id=destination.id, since=clock() - timedelta(hours=1)),
        deps,
    )
    run = await run_of(deps, accepted.run_id)
    assert (run.operation, run.status) == (Operation.UNDELETE, RunStatus.IN_PROGRESS)
    assert (await keys_of(deps, run)).s3_access_key == "upkeep"
    clock.advance(minutes=1)
    back = UndeleteResult(restored=3, hidden=0, restic_snapshot_ids=("aa11",))
    await end(deps, clock, run, back)

    found = await answer_get_snapshot(GetSnapshot(snapshot_id=snapshots[0]), deps)
    assert found.forgotten_at is None


async def test_what_keeps_no_versions_and_times_to_come_are_refused(
    deps: Deps, clock: Clock
) -> None:
    bucket = await ready(deps, clock)
    local = await ready_destination(deps, "disk")
    wrong = {
        "no S3 bucket": UndeleteDestination(destination_id=local, since=clock()),
        "not come yet": UndeleteDestination(
            destination_id=bucket.id, since=clock() + timedelta(seconds=1)
        ),
    }

    for words, query in wrong.items():
        with pytest.raises(InvalidRequestError, match=words):
            await answer_undelete_destination(query, deps)
    with pytest.raises(NotFoundError):
        await answer_undelete_destination(
            UndeleteDestination(destination_id=new_id(), since=clock()), deps
        )


async def test_a_second_pair_that_comes_later_is_tried_with_the_first(
    deps: Deps, clock: Clock
) -> None:
    destination_id = await added(
        deps, None, s3_maintenance_access_key="", s3_maintenance_secret_key=""
    )
    (init,) = await runs_of(deps, Operation.INIT)
    await end(deps, clock, init, InitResult(repository_id="ab12"))
    get = GetDestination(destination_id=destination_id)
    assert not (await answer_get_destination(get, deps)).has_maintenance_credentials
    half = msgspec.structs.replace(NOTHING, s3_maintenance_access_key="upkeep")
    with pytest.raises(InvalidRequestError, match="Only one of"):
        await answer_update_destination(
            UpdateDestination(destination_id=destination_id, sealed_secrets=sealed(deps, half)),
            deps,
        )

    both = msgspec.structs.replace(half, s3_maintenance_secret_key="upkeep secret")
    change = await answer_update_destination(
        UpdateDestination(destination_id=destination_id, sealed_secrets=sealed(deps, both)), deps
    )

    assert not change.destination.has_maintenance_credentials
    assert change.run_id is not None
    run = await run_of(deps, change.run_id)
    key = ReceiverKey.generate()
    claim = await claimed(deps, run.id, key=key)
    plain = key.open(claim.sealed_secrets, claim_purpose(run.id, claim.claim))
    (given,) = msgspec.json.decode(plain, type=dict[UUID, DestinationSecrets]).values()
    assert given == msgspec.structs.replace(KEYS, repo_password=given.repo_password)
    found = ProbeResult(repository_id="ab12", config_digest="e")
    await on_run_completed(run_ended(run, claim.claim, clock(), result=found), deps)
    assert (await answer_get_destination(get, deps)).has_maintenance_credentials
