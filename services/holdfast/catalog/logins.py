"""What opens places on devices that are reached over SSH: the device's login does."""

from collections.abc import Mapping
from uuid import UUID

from msgspec.structs import replace

from holdfast.catalog.deps import Deps
from holdfast.catalog.store import destinations, devices
from holdfast.catalog.store.pool import Connection
from holdfast.events.jumps import JumpLogin
from holdfast.events.work import DestinationSecrets


async def logins_of(
    connection: Connection, device_ids: list[UUID], deps: Deps
) -> dict[UUID, DestinationSecrets]:
    """Of those of the devices that are reached over SSH, with what opens the way to each."""
    sealed = await devices.sealed_secrets(connection, device_ids)
    ways = await devices.jump_secrets(connection, device_ids)
    return {
        id: replace(
            deps.secrets.open_device(id, each),
            jump_logins=tuple(_jump(step, jump, deps) for step, jump in ways.get(id, ())),
        )
        for id, each in sealed.items()
    }


def _jump(device_id: UUID, sealed: bytes, deps: Deps) -> JumpLogin:
    secrets = deps.secrets.open_device(device_id, sealed)
    return JumpLogin(
        device_id=device_id,
        password=secrets.sftp_password,
        private_key=secrets.sftp_private_key,
        passphrase=secrets.sftp_passphrase,
    )


async def with_logins(
    connection: Connection, opened: Mapping[UUID, DestinationSecrets], deps: Deps
) -> dict[UUID, DestinationSecrets]:
    """*opened*, by destination, with the device's login where a device is in between."""
    behind = await destinations.devices_of(connection, list(opened))
    logins = await logins_of(connection, list(set(behind.values())), deps)
    return {
        id: replace(logins[behind[id]], repo_password=each.repo_password)
        if behind.get(id) in logins
        else each
        for id, each in opened.items()
    }
