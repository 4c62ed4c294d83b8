"""Every route: what it asks of the catalog, and what it answers."""

from typing import Any, NamedTuple

import msgspec
import pytest

from holdfast.events import queries as q
from holdfast.events import views
from holdfast.events.run import Operation, RunStatus
from holdfast.events.schedule import DueOutcome
from support.gateway import (
    ID,
    RUN_ID,
    WHEN,
    GatewayHouse,
    accepted,
    app,
    configuration,
    destination,
    device,
    policy,
    run,
    snapshot,
)


class Case(NamedTuple):
    """A request, the question it becomes, the catalog's reply, and the answer."""

    method: str
    path: str
    query: q.Query[Any]
    reply: Any
    status: int = 200
    body: Any = None
    wrapped_as: str = ""


STARTED = views.BackupStarted(
    snapshot_id=ID, run_id=RUN_ID, status=RunStatus.IN_PROGRESS, started_at=WHEN
)
STATUS = views.StatusView(
    apps=(
        views.AppStatus(
            app_id=ID, name="photos", configuration_id=ID, last_success_at=WHEN, last_status=None
        ),
    ),
    destinations=(destination(),),
    runs_active=1,
    runs_queued=2,
    recovery_kit=views.RecoveryKitStatus(state=views.RecoveryKitState.CURRENT, made_at=WHEN),
)
COVERED = views.CoverageEntry(
    device_id=ID,
    device_name="nas",
    app_id=ID,
    app_name="shop",
    kind=None,
    name="",
    path="/srv/shop",
    protected=True,
    at_risk=False,
    configuration_id=ID,
    policy_name="Daily",
    last_backup_at=WHEN,
    age_seconds=60,
    reason="",
    explanation="",
)
SNAPSHOTS = views.SnapshotPage(snapshots=(snapshot(),), next_cursor="next")
RUNS = views.RunPage(runs=(run(),))
FULL_POLICY = {
    "name": "Daily Backups",
    "schedule": "0 2 * * *",
    "keep_daily": 7,
    "keep_weekly": 4,
    "keep_monthly": 6,
    "destination_ids": [str(ID)],
}
SCHEDULE = views.ScheduleView(
    configuration_id=ID,
    enabled=True,
    schedule="0 2 * * *",
    timezone="UTC",
    upcoming=(views.DueTime(scheduled_for=WHEN, starts_at=None),),
    past=(
        views.LedgerRow(
            scheduled_for=WHEN,
            outcome=DueOutcome.FIRED,
            reason="",
            run_id=RUN_ID,
            recorded_at=WHEN,
        ),
    ),
)
KEEP = views.KeepRules(keep_daily=7, keep_weekly=4, keep_monthly=6)
BACKUP = "/api/v1/backup"

CASES = [
    Case("GET", "/api/v1/devices", q.ListDevices(), (device(),), wrapped_as="devices"),
    Case(
        "POST", "/api/v1/devices", q.CreateDevice(name="nas"), device(), 201, body={"name": "nas"}
    ),
    Case("GET", "/api/v1/apps", q.ListApps(), (app(),), wrapped_as="apps"),
    Case(
        "POST",
        "/api/v1/apps",
        q.CreateApp(name="photos", device_id=ID, paths=("/srv/photos",)),
        app(),
        201,
        body={"name": "photos", "device_id": str(ID), "paths": ["/srv/photos"]},
    ),
    Case(
        "GET",
        f"{BACKUP}/destinations",
        q.ListDestinations(),
        (destination(),),
        wrapped_as="destinations",
    ),
    Case("GET", f"{BACKUP}/destinations/{ID}", q.GetDestination(destination_id=ID), destination()),
    Case(
        "POST",
        f"{BACKUP}/destinations/{ID}/rotate-password",
        q.RotatePassword(destination_id=ID),
        accepted(),
        202,
    ),
    Case("POST", f"/api/v1/devices/{ID}/discover", q.DiscoverDevice(device_id=ID), accepted(), 202),
    Case("GET", "/api/v1/coverage", q.GetCoverage(), (COVERED,), wrapped_as="entries"),
    Case("GET", f"{BACKUP}/policies", q.ListPolicies(), (policy(),), wrapped_as="policies"),
    Case(
        "POST",
        f"{BACKUP}/policies",
        q.CreatePolicy(
            name="Daily Backups", schedule="0 2 * * *", keep=KEEP, destination_ids=(ID,)
        ),
        policy(),
        201,
        body=FULL_POLICY,
    ),
    Case("GET", f"{BACKUP}/policies/{ID}", q.GetPolicy(policy_id=ID), policy()),
    Case(
        "PATCH",
        f"{BACKUP}/policies/{ID}",
        q.UpdatePolicy(policy_id=ID, keep_daily=3, enabled=False),
        policy(),
        body={"keep_daily": 3, "enabled": False},
    ),
    Case("DELETE", f"{BACKUP}/policies/{ID}", q.DeletePolicy(policy_id=ID), q.Done(), 204),
    Case(
        "GET",
        f"{BACKUP}/configurations?app_id={ID}",
        q.ListConfigurations(app_id=ID),
        (configuration(),),
        wrapped_as="configurations",
    ),
    Case(
        "POST",
        f"{BACKUP}/configurations",
        q.CreateConfiguration(app_id=ID, policy_id=ID, backup_env=False),
        configuration(),
        201,
        body={"app_id": str(ID), "policy_id": str(ID), "backup_env": False},
    ),
    Case(
        "GET",
        f"{BACKUP}/configurations/{ID}",
        q.GetConfiguration(configuration_id=ID),
        configuration(),
    ),
    Case(
        "PATCH",
        f"{BACKUP}/configurations/{ID}",
        q.UpdateConfiguration(configuration_id=ID, exclude_paths=("cache",)),
        configuration(),
        body={"exclude_paths": ["cache"]},
    ),
    Case(
        "DELETE",
        f"{BACKUP}/configurations/{ID}",
        q.DeleteConfiguration(configuration_id=ID),
        q.Done(),
        204,
    ),
    Case(
        "GET",
        f"{BACKUP}/configurations/{ID}/schedule?limit=5&cursor=next",
        q.GetConfigurationSchedule(configuration_id=ID, limit=5, cursor="next"),
        SCHEDULE,
    ),
    Case(
        "GET",
        f"{BACKUP}/schedule/preview?schedule=0%202%20*%20*%20*&timezone=Europe/Berlin",
        q.PreviewSchedule(schedule="0 2 * * *", timezone="Europe/Berlin"),
        views.SchedulePreview(schedule="0 2 * * *", timezone="Europe/Berlin", times=(WHEN,)),
    ),
    Case(
        "PATCH",
        f"{BACKUP}/policies/{ID}",
        q.UpdatePolicy(policy_id=ID, window_start=None, window_end=None, jitter_seconds=60),
        policy(),
        body={"window_start": None, "window_end": None, "jitter_seconds": 60},
    ),
    Case(
        "POST",
        f"{BACKUP}/configurations/{ID}/backup",
        q.StartBackup(configuration_id=ID),
        STARTED,
        202,
    ),
    Case("GET", f"{BACKUP}/snapshots", q.ListSnapshots(), SNAPSHOTS),
    Case(
        "GET",
        f"{BACKUP}/snapshots?app_id={ID}&configuration_id={ID}&destination_id={ID}"
        "&status=success&limit=2&cursor=abc",
        q.ListSnapshots(
            app_id=ID,
            configuration_id=ID,
            destination_id=ID,
            status=RunStatus.SUCCESS,
            limit=2,
            cursor="abc",
        ),
        SNAPSHOTS,
    ),
    Case("GET", f"{BACKUP}/snapshots/{ID}", q.GetSnapshot(snapshot_id=ID), snapshot()),
    Case(
        "POST",
        f"{BACKUP}/snapshots/{ID}/restore",
        q.RestoreSnapshot(
            snapshot_id=ID, target_device_id=ID, target_path="/srv/back", files=("/srv/a",)
        ),
        accepted(),
        202,
        body={"target_device_id": str(ID), "target_path": "/srv/back", "files": ["/srv/a"]},
    ),
    Case(
        "POST",
        f"/api/v1/apps/{ID}/restore",
        q.RestoreApp(app_id=ID, snapshot_id=ID, target_device_id=ID, dry_run=True),
        accepted(),
        202,
        body={"snapshot_id": str(ID), "target_device_id": str(ID), "dry_run": True},
    ),
    Case(
        "POST",
        f"/api/v1/apps/{ID}/restores/{RUN_ID}/discard",
        q.DiscardPrevious(app_id=ID, run_id=RUN_ID),
        accepted(),
        202,
    ),
    Case("GET", f"{BACKUP}/runs", q.ListRuns(), RUNS),
    Case(
        "GET",
        f"{BACKUP}/runs?operation=backup&status=failed&app_id={ID}&configuration_id={ID}",
        q.ListRuns(
            operation=Operation.BACKUP, status=RunStatus.FAILED, app_id=ID, configuration_id=ID
        ),
        RUNS,
    ),
    Case("GET", f"{BACKUP}/runs/{RUN_ID}", q.GetRun(run_id=RUN_ID), run()),
    Case("POST", f"{BACKUP}/runs/{RUN_ID}/cancel", q.CancelRun(run_id=RUN_ID), run(), 202),
    Case("GET", "/api/v1/status", q.GetStatus(), STATUS),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.method} {case.path}")
async def test_a_route_asks_the_catalog_and_answers_its_view(
    case: Case, house: GatewayHouse
) -> None:
    house.bus.answers[type(case.query)] = case.reply

    async with house.client() as client:
        response = await client.request(case.method, case.path, json=case.body)

    assert response.status_code == case.status, response.text
    assert house.asked(type(case.query)) == case.query
    if case.status == 204:
        assert response.content == b""
    else:
        expected = msgspec.to_builtins(case.reply, builtin_types=())
        as_json = msgspec.json.decode(msgspec.json.encode(expected))
        assert response.json() == ({case.wrapped_as: as_json} if case.wrapped_as else as_json)


async def test_a_patch_tells_absent_from_given(house: GatewayHouse) -> None:
    house.bus.answers[q.UpdatePolicy] = policy()

    async with house.client() as client:
        await client.patch(f"{BACKUP}/policies/{ID}", json={"description": ""})

    asked = house.asked(q.UpdatePolicy)
    assert asked.description == ""
    assert asked.name is msgspec.UNSET


async def test_an_app_without_a_named_policy_gets_the_default_one(house: GatewayHouse) -> None:
    house.bus.answers[q.CreateConfiguration] = configuration()

    async with house.client() as client:
        await client.post(f"{BACKUP}/configurations", json={"app_id": str(ID)})

    assert house.asked(q.CreateConfiguration).policy_id is None


@pytest.mark.parametrize(("path", "text"), [("/health", "ok\n"), ("/ready", "ready\n")])
async def test_health_needs_no_token(path: str, text: str, house: GatewayHouse) -> None:
    async with house.client(token=None) as client:
        response = await client.get(path)

    assert (response.status_code, response.text) == (200, text)


async def test_metrics_are_prometheus_text(house: GatewayHouse) -> None:
    async with house.client(token=None) as client:
        response = await client.get("/metrics")

    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"# HELP" in response.content


async def test_not_ready_before_all_services_have_started(house: GatewayHouse) -> None:
    house.started = False

    async with house.client(token=None) as client:
        response = await client.get("/ready")

    assert response.status_code == 503


async def test_not_ready_without_the_catalog(house: GatewayHouse) -> None:
    del house.bus.answers[q.GetIdentity]

    async with house.client(token=None) as client:
        response = await client.get("/ready")

    assert response.status_code == 503
    assert response.json()["code"] == "unavailable"
