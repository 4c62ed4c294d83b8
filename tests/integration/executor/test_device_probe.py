"""A device is reached over a real sshd, and told apart from one that will not do."""

import os
import platform
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast.events.run import BackupResult, DeviceProbeResult, RunStatus
from holdfast.events.work import DestinationSecrets, DeviceAddress, DeviceProbeRequested
from holdfast.kernel.clock import utc_now
from holdfast.kernel.ids import new_id
from holdfast.notifier.domain import message_of
from support.executor import Bench, Place, backup_of
from support.hosts import Pi
from support.sshd import Sshd

pytestmark = [pytest.mark.restic, pytest.mark.sftp]


class Device:
    """As the catalog knows it: its secrets are found by its id, like a destination's."""

    def __init__(self, sshd: Sshd) -> None:
        self.id = new_id()
        self.address = DeviceAddress(
            device_id=self.id, name="pi", host="127.0.0.1", port=sshd.port, user=sshd.user
        )
        self.secrets = DestinationSecrets(repo_password="", sftp_private_key=sshd.private_key)

    def probe(self) -> DeviceProbeRequested:
        return probe_of(self.address)


def probe_of(address: DeviceAddress) -> DeviceProbeRequested:
    return DeviceProbeRequested(
        event_id=new_id(), occurred_at=utc_now(), run_id=new_id(), site="main", device=address
    )


@pytest.fixture
def device(bench: Bench, sshd: Sshd) -> Device:
    device = Device(sshd)
    bench.places[device.id] = device  # type: ignore[assignment]  # it has an id and secrets
    return device


async def test_what_is_there_is_told_and_its_key(bench: Bench, device: Device, sshd: Sshd) -> None:
    run = await bench.outcome(device.probe())

    assert run.status is RunStatus.SUCCESS, run.failure
    assert isinstance(run.result, DeviceProbeResult)
    assert run.result.host_key == sshd.host_key
    assert run.result.host_key_fingerprint == sshd.fingerprint
    assert (run.result.user, run.result.is_root) == (sshd.user, os.getuid() == 0)
    assert run.result.machine == platform.machine()
    assert run.result.free_bytes > 0


@pytest.mark.parametrize(
    ("shift", "says"), [("+3 hours", "180 minutes ahead"), ("-10 minutes", "10 minutes behind")]
)
async def test_a_clock_that_is_off_is_told_by_a_test_and_by_each_backup(
    bench: Bench, own_sshd: Sshd, nas: Place, data: Path, tmp_path: Path, shift: str, says: str
) -> None:
    """A machine's time cannot be set for a test: what tells it there does so wrongly."""
    programs = tmp_path / "programs"
    programs.mkdir()
    date = programs / "date"
    date.write_text(f'#!/bin/sh\nexec {shutil.which("date")} -d "{shift}" "$@"\n')
    date.chmod(0o755)
    pi = Pi(own_sshd, tmp_path / "pi", path=f"{programs}:{os.environ['PATH']}").known_to(bench)

    probed = await bench.outcome(probe_of(pi.address))
    backup = await bench.outcome(backup_of([data], nas, device=pi.address))

    assert isinstance(probed.result, DeviceProbeResult)
    assert isinstance(backup.result, BackupResult)
    for result in (probed.result, backup.result):
        (warning,) = result.warnings
        assert says in warning
    message = message_of(backup)
    assert message is not None
    assert says in message.text


async def test_a_clock_that_is_right_is_not_talked_about(
    bench: Bench, own_sshd: Sshd, nas: Place, data: Path, tmp_path: Path
) -> None:
    pi = Pi(own_sshd, tmp_path / "pi").known_to(bench)

    probed = await bench.outcome(probe_of(pi.address))
    backup = await bench.outcome(backup_of([data], nas, device=pi.address))

    assert isinstance(probed.result, DeviceProbeResult)
    assert (probed.result.warnings, backup.result) == ((), None)


async def test_another_key_and_a_wrong_login_are_told(bench: Bench, device: Device) -> None:
    device.address = replace(device.address, host_key="SHA256:" + "A" * 43)
    changed = await bench.outcome(device.probe())
    device.address = replace(device.address, host_key="")
    device.secrets = DestinationSecrets(repo_password="", sftp_password="wrong")
    refused = await bench.outcome(device.probe())

    assert changed.failure is not None
    assert changed.failure.code == "host_key_changed"
    assert refused.failure is not None
    assert refused.failure.code == "bad_credentials"
    assert not refused.failure.retryable
