"""The catalog as it is wired: on a real bus and a real database."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.bus import Bus
from holdfast.catalog.service import build
from holdfast.events import queries
from holdfast.events.base import encode
from holdfast.events.queries import (
    ClaimRun,
    CreateApp,
    GetIdentity,
    GetRetentionView,
    GetRun,
    ListConfigurations,
    ListDevices,
    ListSnapshots,
    Query,
    RestoreSnapshot,
    StartBackup,
    WaitForRun,
)
from holdfast.events.road import CATALOG, ROADS
from holdfast.events.run import InitResult, RunStatus
from holdfast.events.work import DestinationSecrets, DestinationType
from holdfast.kernel.clock import utc_now
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.ids import new_id
from holdfast.runtime import Runtime
from holdfast.runtime.host import Host
from holdfast.secretbox.envelope import ReceiverKey, seal_to
from holdfast.settings import Settings
from support.runs import run_ended, snapshot_made

pytestmark = [pytest.mark.postgres, pytest.mark.nats]


@pytest.fixture
async def bus(postgres_dsn: str, nats_url: str, tmp_path: Path) -> AsyncIterator[Bus]:
    """A bus with a catalog on it."""
    settings = Settings(
        data=tmp_path, postgres_dsn=postgres_dsn, nats_url=nats_url, discover_seconds=0
    )
    bus = await Bus.open(nats_url, "test")
    host = Host(Runtime(settings=settings, bus=bus), nats_url, "test")
    await host.start([build])
    yield bus
    await host.stop()
    await bus.close()


async def done(bus: Bus, run_id: object, **ended: Any) -> Any:
    """Take the run's message, claim it, and say how it ended."""
    job = await bus.next_job("main", 10)
    assert job is not None
    assert job.work.run_id == run_id
    key = ReceiverKey.generate()
    claim = await bus.request(
        ClaimRun(run_id=job.work.run_id, executor_id="one", public_key=key.public)
    )
    assert claim.granted
    run = await bus.request(GetRun(run_id=job.work.run_id))
    # The end first: its snapshots are on another subject and may be late.
    await bus.publish(run_ended(run, claim.claim, utc_now(), **ended))
    for place in range(len(run.snapshot_ids)):
        await bus.publish(snapshot_made(run, claim.claim, utc_now(), place=place))
    await job.done()
    return await bus.request(WaitForRun(run_id=run.id, timeout_seconds=20), timeout=25)


async def test_from_an_empty_database_to_a_restore(bus: Bus) -> None:
    identity = await bus.request(GetIdentity())
    (device,) = await bus.request(ListDevices())
    secrets = DestinationSecrets(repo_password="correct horse battery")
    wanted = await bus.request(
        queries.AddDestination(
            name="NAS",
            type=DestinationType.LOCAL,
            device_id=device.id,
            path="/mnt/nas",
            sealed_secrets=seal_to(identity.public_key, encode(secrets), "destination-secrets"),
        )
    )
    added = await done(bus, wanted.run_id, result=InitResult(repository_id="abc"))
    assert added.status is RunStatus.SUCCESS

    app = await bus.request(CreateApp(name="immich", device_id=device.id, paths=("/srv/immich",)))
    (configuration,) = await bus.request(ListConfigurations(app_id=app.id))
    backup = await bus.request(StartBackup(configuration_id=configuration.id))
    ended = await done(bus, backup.run_id)
    assert ended.status is RunStatus.SUCCESS

    (snapshot,) = (await bus.request(ListSnapshots(app_id=app.id))).snapshots
    assert (snapshot.id, snapshot.restic_snapshot_id) == (backup.snapshot_id, "aa11")
    view = await bus.request(
        GetRetentionView(
            run_id=backup.run_id,
            configuration_id=configuration.id,
            destination_id=snapshot.destination_id,
        )
    )
    assert (view.recorded, len(view.snapshots)) == (True, 1)
    restore = await bus.request(
        RestoreSnapshot(snapshot_id=snapshot.id, target_device_id=device.id, target_path="/tmp/x")
    )
    assert (await done(bus, restore.run_id)).status is RunStatus.SUCCESS


async def test_what_the_catalog_raises_reaches_the_asker(bus: Bus) -> None:
    with pytest.raises(HoldfastError) as missing:
        await bus.request(GetRun(run_id=new_id()))
    assert (missing.value.code, missing.value.status) == ("not_found", 404)
    (device,) = await bus.request(ListDevices())
    app = await bus.request(CreateApp(name="immich", device_id=device.id, paths=("/srv",)))
    (configuration,) = await bus.request(ListConfigurations(app_id=app.id))
    with pytest.raises(HoldfastError) as caught:
        await bus.request(StartBackup(configuration_id=configuration.id))
    assert caught.value.code == "no_destination"


async def test_every_question_has_its_answer_and_every_road_its_ear(
    postgres_dsn: str, nats_url: str, tmp_path: Path
) -> None:
    settings = Settings(
        data=tmp_path, postgres_dsn=postgres_dsn, nats_url=nats_url, discover_seconds=0
    )
    bus = await Bus.open(nats_url, "test")
    service = await build(Runtime(settings=settings, bus=bus))

    asked = {
        each
        for each in vars(queries).values()
        if isinstance(each, type) and issubclass(each, Query) and each is not Query
    }
    assert {answer.query_type for answer in service.answers} == asked
    heard = {hear.event_type for hear in service.hears}
    assert {event for event, road in ROADS.items() if CATALOG in road.heard_by} <= heard

    for close in service.closes:
        await close()
    await bus.close()
