"""A device whose container engines are asked: this machine, or one behind SSH."""

import contextlib
from collections.abc import AsyncIterator

import msgspec

from holdfast.devices.base import Runner
from holdfast.devices.engine import Open, open_here
from holdfast.events.work import DestinationSecrets, DeviceAddress
from holdfast.executor.repositories import environment_on, login_of


class EngineHost(msgspec.Struct, frozen=True, kw_only=True):
    """The device, as it can be reached."""

    runner: Runner
    open: Open


@contextlib.asynccontextmanager
async def reached(
    runner: Runner, device: DeviceAddress | None, secrets: DestinationSecrets | None
) -> AsyncIterator[EngineHost]:
    """*runner* is this machine's, which no *device* means.  Raises what a connection raises."""
    if device is None or secrets is None:
        yield EngineHost(runner=runner, open=open_here)
        return
    # Loading asyncssh takes 0.2 s: only who meets such a device does it.
    from holdfast.devices.ssh import SshRunner, opener
    from holdfast.storage.sftp_connection import connected

    target = await login_of(device, secrets)
    async with connected(target) as connection:
        there = SshRunner(connection, sudo=device.sudo, environment=environment_on(device))
        yield EngineHost(runner=there, open=opener(connection))
