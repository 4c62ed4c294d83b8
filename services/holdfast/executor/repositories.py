"""From a destination's address and secrets to what restic and storage take."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from holdfast.events.jumps import SshHost
from holdfast.events.limits import Compression
from holdfast.events.work import (
    DestinationAddress,
    DestinationSecrets,
    DestinationType,
    DeviceAddress,
    S3Addressing,
)
from holdfast.executor.limits import rates_at
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.secret import Secret
from holdfast.restic import Repository, S3Access, SftpAccess
from holdfast.storage.base import Backend, LocalTarget, S3Target, SftpTarget, Target
from holdfast.storage.objects import Objects
from holdfast.storage.registry import host_key_of, open_backend, open_objects
from holdfast.storage.s3 import S3Backend
from holdfast.storage.s3_address import is_virtual_host
from holdfast.storage.s3_lock import S3Vault
from holdfast.storage.sftp_ticket import COMMAND, ENVIRONMENT, TICKET, ticket_of

VIRTUAL_HOST = {S3Addressing.AUTO: None, S3Addressing.PATH: False, S3Addressing.VIRTUAL: True}


class DeviceNotTestedError(HoldfastError):
    """The device's host key is not known: whoever answers there would be trusted."""

    code = "device_not_tested"
    guidance = "Test the device first; that pins its host key."
    status = 409


class WayChangedError(HoldfastError):
    """The way to the device was changed after this run was queued."""

    code = "way_changed"
    guidance = "Start it again."


class UnsupportedDestinationError(HoldfastError):
    """Only an S3 bucket keeps versions."""

    code = "unsupported_destination"
    guidance = "Nothing was changed."
    status = 422


def storage_of(
    address: DestinationAddress, secrets: DestinationSecrets, *, parent: str = ""
) -> Backend:
    """The storage at *address*.

    *parent*, for a new local or SFTP one, is the path that must exist already.
    """
    return open_backend(target_of(address, secrets, parent=parent))


def objects_of(
    address: DestinationAddress, secrets: DestinationSecrets
) -> AbstractAsyncContextManager[Objects]:
    """The objects of the repository at *address*."""
    return open_objects(target_of(address, secrets))


def repository_of(
    address: DestinationAddress, secrets: DestinationSecrets, cache: Path, at: datetime
) -> Repository:
    """The restic repository at *address*, with the limits that hold *at* a time."""
    target = target_of(address, secrets)
    limits = address.limits
    upload, download = rates_at(limits, at)
    return Repository(
        url=open_backend(target).repository_url,
        password=Secret(secrets.repo_password),
        s3=_s3_access(target) if isinstance(target, S3Target) else None,
        sftp=_sftp_access(target) if isinstance(target, SftpTarget) else None,
        cache_dir=str(cache),
        ca_certificates=address.s3_ca_certificate,
        upload_limit=upload,
        download_limit=download,
        compression="" if limits.compression is Compression.AUTO else limits.compression.value,
        pack_size=limits.pack_size_mib,
    )


async def pinned(address: DestinationAddress, secrets: DestinationSecrets) -> DestinationAddress:
    """*address* with the host key that its SFTP server must show from now on.

    Raises HostKeyChangedError when the server has not the one that is wanted.
    """
    if address.type is not DestinationType.SFTP:
        return address
    key = await host_key_of(
        address.sftp_host,
        address.sftp_port,
        address.sftp_host_key,
        _way(address.sftp_jumps, secrets),
    )
    return replace(address, sftp_host_key=key)


async def login_of(device: DeviceAddress, secrets: DestinationSecrets) -> SftpTarget:
    """How a device is reached, with the host key that it must show from now on.

    Raises HostKeyChangedError when it has not the one that is wanted, and what ``_way`` raises.
    """
    via = _way(device.jumps, secrets)
    return SftpTarget(
        host=device.host,
        port=device.port,
        user=device.user,
        path="",
        host_key=await host_key_of(device.host, device.port, device.host_key, via),
        password=Secret(secrets.sftp_password),
        private_key=Secret(secrets.sftp_private_key),
        passphrase=Secret(secrets.sftp_passphrase),
        via=via,
    )


def environment_on(device: DeviceAddress) -> dict[str, str]:
    """What every program on a device is given."""
    return {"DOCKER_HOST": f"unix://{device.engine_socket}"} if device.engine_socket else {}


def _way(jumps: Sequence[SshHost], secrets: DestinationSecrets) -> SftpTarget | None:
    """The last of the machines on the way, which has the others before it.

    Raises DeviceNotTestedError for one that may be anybody, WayChangedError.
    """
    logins = {each.device_id: each for each in secrets.jump_logins}
    via: SftpTarget | None = None
    for jump in jumps:
        if jump.device_id not in logins:
            raise WayChangedError(f"There is no login for the jump host {jump.name}.")
        if not jump.host_key or jump.host_key.startswith("SHA256:"):
            raise DeviceNotTestedError(
                f"The host key of the jump host {jump.name} is not known.",
                guidance=f"Test the device {jump.name} first; that pins its host key.",
            )
        login = logins[jump.device_id]
        via = SftpTarget(
            host=jump.host,
            port=jump.port,
            user=jump.user,
            path="",
            host_key=jump.host_key,
            password=Secret(login.password),
            private_key=Secret(login.private_key),
            passphrase=Secret(login.passphrase),
            name=jump.name,
            via=via,
        )
    return via


def vault_of(address: DestinationAddress, secrets: DestinationSecrets) -> S3Vault:
    """The objects at *address* with all their versions.  Raises UnsupportedDestinationError."""
    target = target_of(address, secrets)
    if not isinstance(target, S3Target):
        raise UnsupportedDestinationError
    return S3Vault(S3Backend(target))


def secrets_in(secrets: DestinationSecrets) -> tuple[Secret, ...]:
    """All that must not be in a message.  An access key is a name, and helps a person."""
    hidden = (
        secrets.repo_password,
        secrets.next_password,
        secrets.old_password,
        secrets.s3_secret_key,
        secrets.s3_maintenance_secret_key,
        secrets.sftp_password,
        secrets.sftp_private_key,
        secrets.sftp_passphrase,
        *(
            word
            for each in secrets.jump_logins
            for word in (each.password, each.private_key, each.passphrase)
        ),
    )
    return tuple(Secret(each) for each in hidden if each)


def _s3_access(target: S3Target) -> S3Access:
    return S3Access(
        access_key=target.access_key,
        secret_key=target.secret_key,
        region=target.region,
        bucket_lookup="dns" if is_virtual_host(target) else "path",
    )


def _sftp_access(target: SftpTarget) -> SftpAccess:
    return SftpAccess(command=COMMAND, environment=ENVIRONMENT, secrets={TICKET: ticket_of(target)})


def target_of(
    address: DestinationAddress, secrets: DestinationSecrets, *, parent: str = ""
) -> Target:
    """What a storage needs to know.  Raises UnsupportedDestinationError."""
    match address.type:
        case DestinationType.LOCAL:
            return LocalTarget(path=address.local_path, parent=parent)
        case DestinationType.S3:
            return S3Target(
                endpoint=address.s3_endpoint,
                bucket=address.s3_bucket,
                region=address.s3_region,
                access_key=Secret(secrets.s3_access_key),
                secret_key=Secret(secrets.s3_secret_key),
                prefix=address.s3_prefix,
                virtual_host=VIRTUAL_HOST[address.s3_addressing],
                ca_certificate=address.s3_ca_certificate,
            )
        case DestinationType.SFTP:
            return SftpTarget(
                host=address.sftp_host,
                port=address.sftp_port,
                user=address.sftp_user,
                path=address.sftp_path,
                parent=parent,
                host_key=address.sftp_host_key,
                password=Secret(secrets.sftp_password),
                private_key=Secret(secrets.sftp_private_key),
                passphrase=Secret(secrets.sftp_passphrase),
                via=_way(address.sftp_jumps, secrets),
            )
