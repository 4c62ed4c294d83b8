"""A device that only another machine reaches: real sshds in networks of their own."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast.events.queries import KitContent, KitDestination
from holdfast.events.run import DeviceProbeResult, RunCompleted, RunStatus
from holdfast.events.snapshot import SnapshotCompleted
from holdfast.events.work import (
    DeviceProbeRequested,
    RestoreRequested,
)
from holdfast.gateway.kit.content import kit_of
from holdfast.kernel.clock import utc_now
from holdfast.kernel.ids import new_id
from holdfast.restic.commands import snapshots
from support.executor import Bench, Place, backup_of, sftp_place, work_of
from support.hosts import Pi
from support.kit import typed
from support.networks import Network, can_have_networks
from support.servers import free_port
from support.sshd import Sshd, sshd_binary
from support.trees import differences, manifest

pytestmark = [
    pytest.mark.restic,
    pytest.mark.sftp,
    pytest.mark.skipif(not can_have_networks(), reason="only root may make a network"),
    pytest.mark.skipif(sshd_binary() is None, reason="sshd is not installed"),
]


class Way:
    """One gate, or two, each into a network of its own; in the last of them is the device."""

    def __init__(self, root: Path, gates: int) -> None:
        self.networks: list[Network] = []
        self.gates: list[Sshd] = []
        at: Network | None = None
        for number in range(gates):
            inside = Network()
            self.networks.append(inside)
            self.gates.append(Sshd(root / f"gate-{number}", inside=inside, at=at).start())
            at = inside
        self.sshd = Sshd(root / "sshd", inside=at, at=at)
        self.pi = Pi(self.sshd, root / "pi", jumps=tuple(self.gates))

    def close(self) -> None:
        for each in (self.sshd, *self.gates, *self.networks):
            each.stop() if isinstance(each, Sshd) else each.close()


@pytest.fixture(params=[1, 2], ids=["one gate", "two gates"])
def way(request: pytest.FixtureRequest, tmp_path: Path, bench: Bench) -> Iterator[Way]:
    way = Way(tmp_path, request.param)
    way.pi.known_to(bench)
    yield way
    way.close()


@pytest.fixture
def gated(tmp_path: Path, bench: Bench) -> Iterator[Way]:
    way = Way(tmp_path, 1)
    way.pi.known_to(bench)
    yield way
    way.close()


def probe_of(pi: Pi, **changes: object) -> DeviceProbeRequested:
    return DeviceProbeRequested(
        event_id=new_id(), occurred_at=utc_now(), run_id=new_id(), site="main",
        device=replace(pi.address, **changes),
    )  # fmt: skip


def failure_of(run: RunCompleted) -> tuple[str, str]:
    assert run.failure is not None
    return run.failure.code, run.failure.message


async def test_it_is_backed_up_and_restored_through_them(
    bench: Bench, way: Way, nas: Place, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", way.sshd.port))

    run = await bench.outcome(backup_of([data], nas, device=way.pi.address, hostname="pi"))
    assert run.status is RunStatus.SUCCESS, run.failure
    (made,) = bench.said(SnapshotCompleted)
    assert [each.id for each in await snapshots.run(bench.restic(nas))] == [made.restic_snapshot_id]
    programs = [each.name.split("-")[0] for each in (way.pi.cache / "holdfast").glob("restic-*")]
    assert programs == ["restic"]

    target = tmp_path / "back"
    restored = await bench.outcome(
        work_of(
            RestoreRequested,
            nas,
            restic_snapshot_id=made.restic_snapshot_id,
            target_path=str(target),
            device=way.pi.address,
        )
    )
    assert restored.status is RunStatus.SUCCESS, restored.failure
    assert differences(manifest(data), manifest(target / str(data)[1:])) == []


async def test_its_first_key_is_asked_for_through_them(bench: Bench, way: Way) -> None:
    for wanted in ("", way.sshd.fingerprint):
        run = await bench.outcome(probe_of(way.pi, host_key=wanted))

        assert run.status is RunStatus.SUCCESS, run.failure
        assert isinstance(run.result, DeviceProbeResult)
        assert run.result.host_key == way.sshd.host_key


async def test_a_disk_on_it_is_a_destination_through_them(
    bench: Bench, way: Way, data: Path, tmp_path: Path
) -> None:
    """restic's bridge goes the way, and rclone's relay is led along it."""
    (tmp_path / "disk").mkdir()
    disk = sftp_place(way.sshd, tmp_path / "disk")
    login = bench.logins[way.pi.address.device_id]
    disk.address = replace(
        disk.address, sftp_host_key=way.sshd.host_key, sftp_jumps=way.pi.address.jumps
    )
    disk.secrets = replace(login, repo_password=disk.secrets.repo_password)
    await bench.initialise(disk)

    direct = await bench.outcome(backup_of([data], disk))
    disk.address = replace(disk.address, append_only=True)
    relayed = await bench.outcome(backup_of([data], disk))

    assert (direct.failure, relayed.failure) == (None, None)
    assert len(await snapshots.run(bench.restic(disk))) == 2

    kit = kit_of(
        KitContent(
            instance_id=new_id(),
            made_at=utc_now(),
            destinations=(KitDestination(address=disk.address, secrets=disk.secrets),),
        )
    )
    (entry,) = kit.destinations
    listed = typed([*entry.exports, entry.commands[0]], tmp_path / "elsewhere", bench.deps.restic)
    assert "2 snapshots" in listed[-1]


async def test_a_gate_that_fails_is_named(bench: Bench, gated: Way, nas: Place) -> None:
    (gate,) = gated.gates
    (jump,) = gated.pi.address.jumps

    async def told(**changes: object) -> tuple[str, str]:
        way = (replace(jump, **changes),)
        return failure_of(await bench.outcome(probe_of(gated.pi, jumps=way)))

    other = Sshd(gate.data.parent / "other")
    other.data.mkdir()
    other.new_host_key()
    code, message = await told(host_key=other.host_key)
    assert (code, "gate-0" in message) == ("host_key_changed", True)
    code, message = await told(host_key="")
    assert (code, "gate-0" in message) == ("device_not_tested", True)
    code, message = await told(user="nobody-there")
    assert (code, "gate-0" in message) == ("bad_credentials", True)
    code, message = await told(device_id=new_id())
    assert (code, "gate-0" in message) == ("way_changed", True)
    gate.stop()
    code, message = await told()
    assert (code, "gate-0" in message) == ("connection_refused", True)
    backup = await bench.outcome(backup_of([gate.data], nas, device=gated.pi.address))
    code, message = failure_of(backup)
    assert (code, message.startswith("Device pi: Jump host gate-0: ")) == (
        "connection_refused",
        True,
    )
    assert backup.failure is not None
    assert backup.failure.retryable


async def test_a_gate_that_leads_nowhere_is_told(bench: Bench, gated: Way) -> None:
    nobody = await bench.outcome(probe_of(gated.pi, port=free_port()))
    (gate,) = gated.gates
    gate.stop()
    gate.options = "AllowTcpForwarding no\n"
    gate.start()
    closed = await bench.outcome(probe_of(gated.pi))

    code, message = failure_of(nobody)
    assert (code, "gate-0 cannot reach" in message) == ("connection_timeout", True)
    code, message = failure_of(closed)
    assert (code, "gate-0 passes no connection" in message) == ("jump_refused", True)


async def test_no_login_of_a_gate_is_in_what_is_said(bench: Bench, gated: Way) -> None:
    """Whatever the words of the machine in between are."""
    (jump,) = gated.pi.address.jumps
    login = bench.logins[gated.pi.address.device_id]
    (one,) = login.jump_logins
    bench.logins[gated.pi.address.device_id] = replace(
        login, jump_logins=(replace(one, private_key="", password=jump.user),)
    )

    run = await bench.outcome(probe_of(gated.pi))

    code, message = failure_of(run)
    assert code == "bad_credentials"
    assert jump.user not in message
