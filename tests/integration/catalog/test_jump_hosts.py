"""Devices that are reached through others: what is kept of the way, and who is given its logins."""

from uuid import UUID

import msgspec
import pytest

from holdfast.catalog.answers.destinations import answer_add_destination
from holdfast.catalog.answers.devices import (
    answer_create_device,
    answer_get_device,
    answer_list_devices,
    answer_remove_device,
    answer_test_device,
    answer_update_device,
)
from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import on_run_completed
from holdfast.events.jumps import JumpLogin
from holdfast.events.queries import (
    AddDestination,
    CreateDevice,
    GetDevice,
    ListDevices,
    RemoveDevice,
    TestDevice,
    UpdateDevice,
    claim_purpose,
)
from holdfast.events.run import DeviceProbeResult
from holdfast.events.views import DeviceView
from holdfast.events.work import DestinationSecrets, DestinationType
from holdfast.kernel.errors import ConflictError, InvalidRequestError
from holdfast.kernel.ids import new_id
from holdfast.secretbox.envelope import ReceiverKey
from support.catalog import Clock
from support.destinations import sealed
from support.runs import claimed, run_ended, run_of

pytestmark = pytest.mark.postgres

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHgJ5OGwpE/Qk/nx4c7syn8ADmoOIZKtGr4+SJilxCyl"


async def ssh_device(deps: Deps, name: str, through: UUID | None = None) -> DeviceView:
    return await answer_create_device(
        CreateDevice(
            name=name,
            type="ssh",
            ssh_host=f"{name}.lan",
            ssh_user="backup",
            ssh_host_key=KEY,
            jump_device_id=through,
            sealed_secrets=sealed(
                deps, DestinationSecrets(repo_password="", sftp_password=f"to {name}")
            ),
        ),
        deps,
    )


async def way_of_three(deps: Deps) -> tuple[DeviceView, DeviceView, DeviceView]:
    """The door, the gate behind it, and the machine behind that."""
    door = await ssh_device(deps, "door")
    gate = await ssh_device(deps, "gate", door.id)
    return door, gate, await ssh_device(deps, "pi", gate.id)


async def given_to(deps: Deps, run_id: UUID) -> dict[str, DestinationSecrets]:
    """What an executor that claims the run can open."""
    key = ReceiverKey.generate()
    claim = await claimed(deps, run_id, key=key)
    plain = key.open(claim.sealed_secrets, claim_purpose(run_id, claim.claim))
    return msgspec.json.decode(plain, type=dict[str, DestinationSecrets])


def logins(*devices: DeviceView) -> tuple[JumpLogin, ...]:
    return tuple(JumpLogin(device_id=each.id, password=f"to {each.name}") for each in devices)


async def test_work_has_the_whole_way_and_its_executor_every_login(deps: Deps) -> None:
    door, gate, pi = await way_of_three(deps)

    accepted = await answer_test_device(TestDevice(device_id=pi.id), deps)

    assert pi.jump_device_id == gate.id
    assert [each.name for each in pi.jumps] == ["door", "gate"]
    work = await deps.pool.fetchval("select work from run where id = $1", accepted.run_id)
    way = work["device"]["jumps"]
    assert [(each["name"], each["host"], each["host_key"]) for each in way] == [
        ("door", "door.lan", KEY),
        ("gate", "gate.lan", KEY),
    ]
    assert await given_to(deps, accepted.run_id) == {
        str(pi.id): DestinationSecrets(
            repo_password="", sftp_password="to pi", jump_logins=logins(door, gate)
        )
    }


async def test_logins_of_the_way_are_not_kept_with_the_device(deps: Deps) -> None:
    _, _, pi = await way_of_three(deps)

    row = await deps.pool.fetchval("select sealed_secrets from device where id = $1", pi.id)

    assert deps.secrets.open_device(pi.id, row).jump_logins == ()


async def test_a_path_on_a_device_is_reached_on_the_same_way(deps: Deps, clock: Clock) -> None:
    door, gate, pi = await way_of_three(deps)
    probe = await answer_test_device(TestDevice(device_id=pi.id), deps)
    run = await run_of(deps, probe.run_id)
    claim = (await claimed(deps, run.id)).claim
    found = DeviceProbeResult(
        host_key=KEY, host_key_fingerprint="SHA256:x", user="backup", is_root=False, hostname="pi",
        system="Linux", machine="aarch64", restic="", docker=False, podman=False, free_bytes=5,
        clock_ahead_seconds=0,
    )  # fmt: skip
    await on_run_completed(run_ended(run, claim, clock(), result=found), deps)

    accepted = await answer_add_destination(
        AddDestination(
            name="attic disk",
            type=DestinationType.LOCAL,
            device_id=pi.id,
            path="/mnt/disk",
            sealed_secrets=sealed(deps, DestinationSecrets(repo_password="the repository's")),
        ),
        deps,
    )

    work = await deps.pool.fetchval("select work from run where id = $1", accepted.run_id)
    assert [each["name"] for each in work["address"]["sftp_jumps"]] == ["door", "gate"]
    given = (await given_to(deps, accepted.run_id))[str(accepted.destination_id)]
    assert given.jump_logins == logins(door, gate)
    assert (given.repo_password, given.sftp_password) == ("the repository's", "to pi")


async def test_a_ring_is_refused_whatever_its_length(deps: Deps) -> None:
    door, gate, pi = await way_of_three(deps)

    for through in (door, gate, pi):
        with pytest.raises(InvalidRequestError, match="in a circle"):
            await answer_update_device(
                UpdateDevice(device_id=door.id, jump_device_id=through.id), deps
            )

    assert (await answer_get_device(GetDevice(device_id=door.id), deps)).jump_device_id is None


async def test_five_jumps_are_enough_for_everybody(deps: Deps) -> None:
    last = await ssh_device(deps, "hop-0")
    for number in range(1, 6):
        last = await ssh_device(deps, f"hop-{number}", last.id)
    assert len(last.jumps) == 5

    with pytest.raises(InvalidRequestError, match="more than 5"):
        await ssh_device(deps, "too-far", last.id)
    first = last.jumps[0].device_id
    before_all = await ssh_device(deps, "before-all")
    with pytest.raises(InvalidRequestError, match="hop-5"):
        await answer_update_device(
            UpdateDevice(device_id=first, jump_device_id=before_all.id), deps
        )


async def test_only_a_device_behind_ssh_is_a_way_and_has_one(deps: Deps) -> None:
    (local,) = await answer_list_devices(ListDevices(), deps)
    with pytest.raises(InvalidRequestError, match="not reached over SSH"):
        await ssh_device(deps, "pi", local.id)
    with pytest.raises(InvalidRequestError, match="there is no such device"):
        await ssh_device(deps, "pi", new_id())
    door = await ssh_device(deps, "door")
    with pytest.raises(InvalidRequestError, match="no machine behind SSH"):
        await answer_update_device(UpdateDevice(device_id=local.id, jump_device_id=door.id), deps)
    with pytest.raises(InvalidRequestError, match="no SSH address"):
        await answer_create_device(CreateDevice(name="nas", jump_device_id=door.id), deps)


async def test_the_way_to_others_stays_and_they_are_named(deps: Deps) -> None:
    door, _, pi = await way_of_three(deps)
    await answer_update_device(UpdateDevice(device_id=pi.id, jump_device_id=door.id), deps)

    with pytest.raises(ConflictError, match="the way to gate, pi"):
        await answer_remove_device(RemoveDevice(device_id=door.id), deps)

    direct = await answer_update_device(UpdateDevice(device_id=pi.id, jump_device_id=None), deps)
    assert direct.jumps == ()
    for each in ("pi", "gate", "door"):
        listed = await answer_list_devices(ListDevices(), deps)
        (found,) = [one for one in listed if one.name == each]
        await answer_remove_device(RemoveDevice(device_id=found.id), deps)
