"""Runs for the catalog's tests: an app with destinations, and an executor's words."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from holdfast.catalog.answers.apps import answer_create_app
from holdfast.catalog.answers.configurations import answer_list_configurations
from holdfast.catalog.answers.devices import answer_list_devices
from holdfast.catalog.answers.executors import answer_claim_run
from holdfast.catalog.answers.policies import answer_list_policies, answer_update_policy
from holdfast.catalog.answers.runs import answer_get_run, answer_start_backup
from holdfast.catalog.deps import Deps
from holdfast.events.due import BackupDue, DueTimes
from holdfast.events.queries import (
    Claim,
    ClaimRun,
    CreateApp,
    GetRun,
    ListConfigurations,
    ListDevices,
    ListPolicies,
    StartBackup,
    UpdatePolicy,
)
from holdfast.events.run import Failure, Operation, Result, RunCompleted, RunStatus
from holdfast.events.snapshot import SnapshotCompleted, SnapshotFailed
from holdfast.events.views import AppView, DestinationRef, RunView
from holdfast.kernel.ids import derived_id, new_id
from holdfast.secretbox.envelope import ReceiverKey
from support.destinations import ready_destination

PASSES = Failure(code="unreachable", message="It is away.", retryable=True)
STAYS = Failure(code="wrong_password", message="It does not open.")


class Protected(msgspec.Struct, frozen=True, kw_only=True):
    """An app with a configuration and destinations."""

    app: AppView
    configuration_id: UUID
    destination_ids: tuple[UUID, ...]


async def protected_app(
    deps: Deps, *, name: str = "immich", destinations: Sequence[str] = ("A",)
) -> Protected:
    """An app of the default policy, which gets *destinations* (made when they are new)."""
    known = {one.name: one.id for one in await _policy_destinations(deps)}
    ids = [known.get(each) or await ready_destination(deps, each) for each in destinations]
    (policy,) = await answer_list_policies(ListPolicies(), deps)
    await answer_update_policy(UpdatePolicy(policy_id=policy.id, destination_ids=tuple(ids)), deps)
    app = await added_app(deps, name)
    (configuration,) = await answer_list_configurations(ListConfigurations(app_id=app.id), deps)
    return Protected(app=app, configuration_id=configuration.id, destination_ids=tuple(ids))


async def added_app(deps: Deps, name: str) -> AppView:
    """An app on the first device."""
    devices = await answer_list_devices(ListDevices(), deps)
    return await answer_create_app(
        CreateApp(name=name, device_id=devices[0].id, paths=(f"/srv/{name}",)), deps
    )


async def started(deps: Deps, protected: Protected) -> RunView:
    """A backup by hand."""
    answer = await answer_start_backup(
        StartBackup(configuration_id=protected.configuration_id), deps
    )
    return await run_of(deps, answer.run_id)


async def claimed_run(deps: Deps, *destinations: str) -> tuple[Protected, RunView, int]:
    """A backup that an executor has begun, and its claim."""
    protected = await protected_app(deps, destinations=destinations or ("A",))
    run = await started(deps, protected)
    return protected, run, (await claimed(deps, run.id)).claim


async def run_of(deps: Deps, run_id: UUID) -> RunView:
    return await answer_get_run(GetRun(run_id=run_id), deps)


async def claimed(
    deps: Deps, run_id: UUID, *, executor_id: str = "one", key: ReceiverKey | None = None
) -> Claim:
    """An executor's claim, granted or not."""
    public = (key or ReceiverKey.generate()).public
    return await answer_claim_run(
        ClaimRun(run_id=run_id, executor_id=executor_id, public_key=public), deps
    )


def due(protected: Protected, at: datetime, *coalesced: datetime) -> BackupDue:
    """What the scheduler says at *at*."""
    return all_due([protected], at, *coalesced)


def all_due(protected: Sequence[Protected], at: datetime, *coalesced: datetime) -> BackupDue:
    """What the scheduler says at *at* when all of these are due."""
    ids = [each.configuration_id for each in protected]
    return BackupDue(
        event_id=derived_id("due", *ids, at),
        occurred_at=at,
        due=tuple(
            DueTimes(configuration_id=each, scheduled_for=at, coalesced=coalesced) for each in ids
        ),
    )


def snapshot_made(
    run: RunView,
    claim: int,
    at: datetime,
    *,
    place: int = 0,
    restic_id: str = "aa11",
    status: RunStatus = RunStatus.SUCCESS,
) -> SnapshotCompleted:
    """An executor's word on the *place*-th destination of a run."""
    assert run.configuration_id is not None
    return SnapshotCompleted(
        event_id=new_id(),
        occurred_at=at,
        snapshot_id=snapshot_id_of(run, place),
        run_id=run.id,
        claim=claim,
        configuration_id=run.configuration_id,
        destination_id=run.destination_ids[place],
        app_id=run.app_id,
        status=status,
        restic_snapshot_id=restic_id,
        hostname="nas",
        paths=("/srv/immich",),
        started_at=at,
        files_new=3,
        files_changed=2,
        files_unmodified=1,
        data_added=4096,
        data_added_packed=2048,
        total_bytes_processed=8192,
        duration_seconds=1.4,
    )


def snapshot_failed(
    run: RunView,
    claim: int,
    at: datetime,
    *,
    place: int = 0,
    failure: Failure = PASSES,
    status: RunStatus = RunStatus.FAILED,
) -> SnapshotFailed:
    """An executor's word that there is none at the *place*-th destination."""
    assert run.configuration_id is not None
    return SnapshotFailed(
        event_id=new_id(),
        occurred_at=at,
        snapshot_id=snapshot_id_of(run, place),
        run_id=run.id,
        claim=claim,
        configuration_id=run.configuration_id,
        destination_id=run.destination_ids[place],
        app_id=run.app_id,
        status=status,
        started_at=at,
        duration_seconds=0.5,
        failure=failure,
    )


def run_ended(
    run: RunView,
    claim: int,
    at: datetime,
    *,
    status: RunStatus = RunStatus.SUCCESS,
    failure: Failure | None = None,
    result: Result | None = None,
) -> RunCompleted:
    """An executor's last word on a run."""
    return RunCompleted(
        event_id=new_id(),
        occurred_at=at,
        run_id=run.id,
        claim=claim,
        operation=Operation(run.operation),
        status=status,
        started_at=at,
        configuration_id=run.configuration_id,
        app_id=run.app_id,
        app_name=run.app_name,
        destination_ids=run.destination_ids,
        failure=failure,
        result=result,
    )


def snapshot_id_of(run: RunView, place: int) -> UUID:
    """The row of a run's *place*-th destination."""
    return derived_id("snapshot", run.id, run.destination_ids[place])


async def _policy_destinations(deps: Deps) -> Sequence[DestinationRef]:
    (policy,) = await answer_list_policies(ListPolicies(), deps)
    return policy.destinations
