"""From a destination's address and secrets to what restic and storage take."""

from datetime import datetime
from pathlib import Path

from holdfast.events.limits import Compression
from holdfast.events.work import DestinationAddress, DestinationSecrets, DestinationType
from holdfast.executor.limits import rates_at
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.secret import Secret
from holdfast.restic import Repository, S3Access
from holdfast.storage.base import Backend, LocalTarget, S3Target, Target
from holdfast.storage.registry import open_backend


class UnsupportedDestinationError(HoldfastError):
    """This kind of destination is not supported in this version."""

    code = "unsupported_destination"
    guidance = "Use type 's3' or 'local'."
    status = 422


def storage_of(
    address: DestinationAddress, secrets: DestinationSecrets, *, parent: str = ""
) -> Backend:
    """The storage at *address*.

    *parent*, for a new local one, is the path that must exist already.  Raises
    UnsupportedDestinationError.
    """
    return open_backend(target_of(address, secrets, parent=parent))


def repository_of(
    address: DestinationAddress, secrets: DestinationSecrets, cache: Path, at: datetime
) -> Repository:
    """The restic repository at *address*, with the limits that hold *at* a time.

    Raises UnsupportedDestinationError.
    """
    limits = address.limits
    upload, download = rates_at(limits, at)
    s3 = None
    if address.type is DestinationType.S3:
        s3 = S3Access(
            access_key=Secret(secrets.s3_access_key),
            secret_key=Secret(secrets.s3_secret_key),
            region=address.s3_region,
        )
    return Repository(
        url=storage_of(address, secrets).repository_url,
        password=Secret(secrets.repo_password),
        s3=s3,
        cache_dir=str(cache),
        upload_limit=upload,
        download_limit=download,
        compression="" if limits.compression is Compression.AUTO else limits.compression.value,
        pack_size=limits.pack_size_mib,
    )


def secrets_in(secrets: DestinationSecrets) -> tuple[Secret, ...]:
    """All that must not be in a message.  The access key is a name, and helps a person."""
    return tuple(Secret(each) for each in (secrets.repo_password, secrets.s3_secret_key) if each)


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
            )
        case DestinationType.SFTP:
            raise UnsupportedDestinationError
