"""A device is reached over a real sshd, and told apart from one that will not do."""

import os
import platform

import pytest
from msgspec.structs import replace

from holdfast.events.run import DeviceProbeResult, RunStatus
from holdfast.events.work import DestinationSecrets, DeviceAddress, DeviceProbeRequested
from holdfast.kernel.clock import utc_now
from holdfast.kernel.ids import new_id
from support.executor import Bench
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
        return DeviceProbeRequested(
            event_id=new_id(), occurred_at=utc_now(), run_id=new_id(), site="main",
            device=self.address,
        )  # fmt: skip


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
