"""Devices that are reached over SSH: what is kept of them, and who is given their login."""

import dataclasses
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace

from holdfast.catalog.answers.apps import answer_create_app
from holdfast.catalog.answers.configurations import answer_list_configurations
from holdfast.catalog.answers.destinations import answer_add_destination
from holdfast.catalog.answers.devices import (
    answer_create_device,
    answer_get_device,
    answer_list_devices,
    answer_remove_device,
    answer_test_device,
    answer_update_device,
)
from holdfast.catalog.answers.discovery import answer_discover_device, answer_get_coverage
from holdfast.catalog.answers.runs import answer_start_backup
from holdfast.catalog.answers.snapshots import answer_restore_snapshot
from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import (
    on_device_discovered,
    on_run_completed,
    on_snapshot_completed,
)
from holdfast.catalog.keeper import Keeper
from holdfast.events.discovery import DataKind, DeviceDiscovered, FoundApp, FoundData
from holdfast.events.queries import (
    AddDestination,
    CreateApp,
    CreateDevice,
    DiscoverDevice,
    GetCoverage,
    GetDevice,
    ListConfigurations,
    ListDevices,
    RemoveDevice,
    RestoreSnapshot,
    StartBackup,
    TestDevice,
    UpdateDevice,
    claim_purpose,
)
from holdfast.events.run import DeviceProbeResult, Operation
from holdfast.events.views import DeviceView
from holdfast.events.work import DestinationSecrets, DestinationType
from holdfast.kernel.errors import ConflictError, InvalidRequestError, NotFoundError
from holdfast.kernel.ids import new_id
from holdfast.secretbox.envelope import ReceiverKey
from support.catalog import Clock
from support.destinations import sealed
from support.runs import (
    claimed,
    claimed_run,
    protected_app,
    run_ended,
    run_of,
    snapshot_id_of,
    snapshot_made,
    started,
)

pytestmark = pytest.mark.postgres

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHgJ5OGwpE/Qk/nx4c7syn8ADmoOIZKtGr4+SJilxCyl"
LOGIN = DestinationSecrets(repo_password="", sftp_password="to the pi")


async def pi(deps: Deps, *, host_key: str = "") -> DeviceView:
    return await answer_create_device(
        CreateDevice(
            name="pi",
            type="ssh",
            ssh_host="PI.lan",
            ssh_user="backup",
            ssh_host_key=host_key,
            sealed_secrets=sealed(deps, LOGIN),
        ),
        deps,
    )


def found(host_key: str = KEY) -> DeviceProbeResult:
    return DeviceProbeResult(
        host_key=host_key,
        host_key_fingerprint="SHA256:x",
        user="backup",
        is_root=False,
        hostname="pi",
        system="Linux",
        machine="aarch64",
        restic="",
        docker=True,
        podman=False,
        free_bytes=5,
        clock_ahead_seconds=0,
    )


async def probed(deps: Deps, clock: Clock, device_id: UUID) -> DeviceView:
    accepted = await answer_test_device(TestDevice(device_id=device_id), deps)
    run = await run_of(deps, accepted.run_id)
    assert run.operation is Operation.DEVICE_PROBE
    claim = (await claimed(deps, run.id)).claim
    for _ in range(2):
        await on_run_completed(run_ended(run, claim, clock(), result=found()), deps)
    return await answer_get_device(GetDevice(device_id=device_id), deps)


async def secrets_given(deps: Deps, run_id: UUID) -> dict[str, DestinationSecrets]:
    """What an executor that claims the run can open."""
    key = ReceiverKey.generate()
    claim = await claimed(deps, run_id, key=key)
    plain = key.open(claim.sealed_secrets, claim_purpose(run_id, claim.claim))
    return msgspec.json.decode(plain, type=dict[str, DestinationSecrets])


async def test_its_key_is_pinned_by_the_first_test_and_its_login_is_sealed(
    deps: Deps, clock: Clock
) -> None:
    device = await pi(deps)
    assert (device.ssh_host, device.ssh_port, device.ssh_host_key) == ("pi.lan", 22, None)

    after = await probed(deps, clock, device.id)

    assert after.ssh_host_key == KEY
    assert after.ssh_host_key_fingerprint is not None
    assert after.facts == found()
    assert after.tested_at == clock()
    assert after in await answer_list_devices(ListDevices(), deps)
    row = await deps.pool.fetchval("select sealed_secrets from device where name = 'pi'")
    assert b"to the pi" not in row


async def test_a_test_that_was_under_way_does_not_pin_over_a_newer_wish(
    deps: Deps, clock: Clock
) -> None:
    device = await pi(deps)
    accepted = await answer_test_device(TestDevice(device_id=device.id), deps)
    wish = "SHA256:" + "B" * 43
    await answer_update_device(UpdateDevice(device_id=device.id, ssh_host_key=wish), deps)

    run = await run_of(deps, accepted.run_id)
    claim = (await claimed(deps, run.id)).claim
    await on_run_completed(run_ended(run, claim, clock(), result=found()), deps)

    assert (await answer_get_device(GetDevice(device_id=device.id), deps)).ssh_host_key == wish


async def test_another_host_gives_up_the_old_ones_key(deps: Deps, clock: Clock) -> None:
    device = await probed(deps, clock, (await pi(deps)).id)

    renamed = await answer_update_device(UpdateDevice(device_id=device.id, name="attic"), deps)
    moved = await answer_update_device(UpdateDevice(device_id=device.id, ssh_host="pi2"), deps)

    assert (renamed.name, renamed.ssh_host_key) == ("attic", KEY)
    assert (moved.ssh_host, moved.ssh_host_key) == ("pi2", None)


async def test_only_the_run_that_needs_it_is_given_the_login(deps: Deps, clock: Clock) -> None:
    device = await pi(deps)
    probe = await answer_test_device(TestDevice(device_id=device.id), deps)
    assert await secrets_given(deps, probe.run_id) == {str(device.id): LOGIN}


async def test_a_path_on_it_is_reached_by_sftp_with_its_login(deps: Deps, clock: Clock) -> None:
    device = await pi(deps)
    add = AddDestination(
        name="attic disk",
        type=DestinationType.LOCAL,
        device_id=device.id,
        path="/mnt/disk",
        sealed_secrets=sealed(deps, DestinationSecrets(repo_password="the repository's")),
    )
    with pytest.raises(InvalidRequestError, match="never reached"):
        await answer_add_destination(add, deps)
    await probed(deps, clock, device.id)

    accepted = await answer_add_destination(add, deps)

    work = await deps.pool.fetchval("select work from run where id = $1", accepted.run_id)
    address = work["address"]
    assert (address["type"], address["sftp_host"], address["sftp_user"]) == (
        "sftp",
        "pi.lan",
        "backup",
    )
    assert address["sftp_path"] == "/mnt/disk/homelab-backups"
    assert (address["sftp_host_key"], address["local_path"]) == (KEY, "")
    given = await secrets_given(deps, accepted.run_id)
    assert given == {
        str(accepted.destination_id): DestinationSecrets(
            repo_password="the repository's", sftp_password="to the pi"
        )
    }


async def test_it_goes_only_when_nothing_refers_to_it(deps: Deps, clock: Clock) -> None:
    device = await pi(deps)
    await answer_remove_device(RemoveDevice(device_id=device.id), deps)
    with pytest.raises(NotFoundError):
        await answer_remove_device(RemoveDevice(device_id=device.id), deps)
    (local,) = await answer_list_devices(ListDevices(), deps)
    await answer_create_app(CreateApp(name="a", device_id=local.id, paths=("/srv/a",)), deps)

    with pytest.raises(ConflictError, match="An app is on this device"):
        await answer_remove_device(RemoveDevice(device_id=local.id), deps)


async def test_what_a_local_device_has_not_is_refused(deps: Deps) -> None:
    (local,) = await answer_list_devices(ListDevices(), deps)

    with pytest.raises(InvalidRequestError, match="not reached over SSH"):
        await answer_test_device(TestDevice(device_id=local.id), deps)
    with pytest.raises(InvalidRequestError, match="no machine behind SSH"):
        await answer_update_device(UpdateDevice(device_id=local.id, ssh_host="pi"), deps)
    with pytest.raises(NotFoundError):
        await answer_get_device(GetDevice(device_id=new_id()), deps)


async def test_an_app_on_it_is_backed_up_there_with_its_login(deps: Deps, clock: Clock) -> None:
    device = await pi(deps)
    create = CreateApp(name="a", device_id=device.id, paths=("/srv/a",))
    with pytest.raises(InvalidRequestError, match="never reached"):
        await answer_create_app(create, deps)
    await probed(deps, clock, device.id)
    # The first app has the policy's destinations.
    protected = await protected_app(deps)
    app = await answer_create_app(create, deps)
    (configuration,) = await answer_list_configurations(ListConfigurations(app_id=app.id), deps)

    on_pi = await answer_start_backup(StartBackup(configuration_id=configuration.id), deps)
    here = await started(deps, protected)

    work = await deps.pool.fetchval("select work from run where id = $1", on_pi.run_id)
    assert work["hostname"] == "pi"
    assert (work["device"]["host"], work["device"]["host_key"]) == ("pi.lan", KEY)
    given = await secrets_given(deps, on_pi.run_id)
    assert given[str(device.id)] == LOGIN
    assert len(given) == 2
    other = await deps.pool.fetchval("select work from run where id = $1", here.id)
    assert other["device"] is None
    assert str(device.id) not in await secrets_given(deps, here.id)


async def test_a_restore_to_it_goes_there_with_its_login(deps: Deps, clock: Clock) -> None:
    device = await probed(deps, clock, (await pi(deps)).id)
    _, run, claim = await claimed_run(deps)
    await on_snapshot_completed(snapshot_made(run, claim, clock()), deps)
    await on_run_completed(run_ended(run, claim, clock()), deps)

    accepted = await answer_restore_snapshot(
        RestoreSnapshot(
            snapshot_id=snapshot_id_of(run, 0), target_device_id=device.id, target_path="/back"
        ),
        deps,
    )

    work = await deps.pool.fetchval("select work from run where id = $1", accepted.run_id)
    assert work["device"]["user"] == "backup"
    assert (await secrets_given(deps, accepted.run_id))[str(device.id)] == LOGIN


async def test_its_apps_are_looked_for_once_a_test_found_an_engine(
    deps: Deps, clock: Clock
) -> None:
    asked = dataclasses.replace(deps, settings=replace(deps.settings, discover_seconds=60))
    device = await pi(deps)
    with pytest.raises(InvalidRequestError, match="never reached"):
        await answer_discover_device(DiscoverDevice(device_id=device.id), deps)

    async def discoveries() -> list[UUID]:
        rows = await deps.pool.fetch(
            "select id from run where operation = 'discover' and device_id = $1", device.id
        )
        return [row["id"] for row in rows]

    await Keeper(asked).step()
    assert await discoveries() == []
    await probed(deps, clock, device.id)
    await Keeper(asked).step()

    (run_id,) = await discoveries()
    work = await deps.pool.fetchval("select work from run where id = $1", run_id)
    assert work["device"]["host_key"] == KEY
    assert await secrets_given(deps, run_id) == {str(device.id): LOGIN}


async def test_an_app_found_on_it_is_backed_up_on_it(deps: Deps, clock: Clock) -> None:
    await protected_app(deps)
    device = await probed(deps, clock, (await pi(deps)).id)
    accepted = await answer_discover_device(DiscoverDevice(device_id=device.id), deps)
    found = FoundApp(
        key="docker/container/web",
        engine="docker",
        name="web",
        services=(),
        data=(FoundData(kind=DataKind.BIND, path="/srv/web", services=("web",)),),
    )
    event = DeviceDiscovered(
        event_id=new_id(),
        occurred_at=clock(),
        run_id=accepted.run_id,
        claim=(await claimed(deps, accepted.run_id)).claim,
        device_id=device.id,
        engines=("docker",),
        apps=(found,),
    )
    await on_device_discovered(event, deps)

    (entry,) = [
        each
        for each in await answer_get_coverage(GetCoverage(), deps)
        if each.device_id == device.id
    ]
    assert entry.reason == "never_backed_up"
    assert entry.configuration_id is not None
    run = await answer_start_backup(StartBackup(configuration_id=entry.configuration_id), deps)
    work = await deps.pool.fetchval("select work from run where id = $1", run.run_id)
    assert work["paths"] == ["/srv/web"]
    assert work["device"]["host"] == "pi.lan"


async def test_an_unusual_socket_of_its_engine_goes_with_all_work_there(deps: Deps) -> None:
    device = await pi(deps)
    for wrong in ("docker.sock", "tcp://pi:2375"):
        with pytest.raises(InvalidRequestError, match="engine_socket"):
            await answer_update_device(UpdateDevice(device_id=device.id, engine_socket=wrong), deps)

    changed = await answer_update_device(
        UpdateDevice(device_id=device.id, engine_socket="unix:///srv/docker.sock"), deps
    )
    accepted = await answer_test_device(TestDevice(device_id=device.id), deps)

    assert changed.engine_socket == "/srv/docker.sock"
    work = await deps.pool.fetchval("select work from run where id = $1", accepted.run_id)
    assert work["device"]["engine_socket"] == "/srv/docker.sock"
    with pytest.raises(InvalidRequestError, match="local"):
        await answer_create_device(CreateDevice(name="nas", engine_socket="/a"), deps)
