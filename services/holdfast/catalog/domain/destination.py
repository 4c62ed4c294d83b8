"""Where a destination is, spelled one way, so that the same place is known again."""

import posixpath
from uuid import UUID

import msgspec

from holdfast.catalog.domain.admission import RUNS_PER_DESTINATION
from holdfast.catalog.domain.limits import checked_limits
from holdfast.catalog.domain.paths import absolute_path
from holdfast.catalog.domain.s3_place import checked_certificate, provider_endpoint, s3_place
from holdfast.catalog.domain.ssh import LONGEST_KEY, checked_host, checked_host_key, checked_port
from holdfast.catalog.domain.text import checked_name, checked_text
from holdfast.events.limits import NO_LIMITS, Limits
from holdfast.events.queries import AddDestination
from holdfast.events.work import (
    DestinationSecrets,
    DestinationType,
    ObjectLock,
    S3Addressing,
)
from holdfast.kernel.errors import InvalidRequestError

DIRECTORY = "homelab-backups"
"""Made below the path that a person names, so that a repository never mixes with other files."""

MOST_RUNS = 64

MOST_LOCK_DAYS = 3650
"""Ten years: in the mode compliance nobody could take back a typing error."""


class NewDestination(msgspec.Struct, frozen=True, kw_only=True):
    """A destination that a person wants, checked; nothing has been tried yet."""

    name: str
    type: DestinationType
    place: str
    """Unique among destinations in use."""
    device_id: UUID | None = None
    parent_path: str = ""
    local_path: str = ""
    s3_endpoint: str = ""
    s3_bucket: str = ""
    s3_region: str = ""
    s3_prefix: str = ""
    object_lock: ObjectLock | None = None
    s3_addressing: S3Addressing = S3Addressing.AUTO
    s3_ca_certificate: str = ""
    sftp_host: str = ""
    sftp_port: int = 22
    sftp_user: str = ""
    sftp_path: str = ""
    sftp_host_key: str = ""
    max_runs: int = RUNS_PER_DESTINATION
    limits: Limits = NO_LIMITS
    append_only: bool = False


def new_destination(query: AddDestination, default_zone: str = "UTC") -> NewDestination:
    """What *query* asks for; InvalidRequestError names the field that will not do."""
    return msgspec.structs.replace(
        _new_destination(query),
        max_runs=checked_runs(query.max_runs),
        limits=checked_limits(query.limits, default_zone),
        append_only=query.append_only,
    )


def checked_runs(value: int) -> int:
    """How many runs it may serve at once.  Raises InvalidRequestError."""
    if not 0 < value <= MOST_RUNS:
        raise InvalidRequestError(f"max_runs: {value} is not from 1 to {MOST_RUNS}.")
    return value


def _new_destination(query: AddDestination) -> NewDestination:
    name = checked_name(query.name)
    match query.type:
        case DestinationType.LOCAL:
            return _local(name, query)
        case DestinationType.S3:
            return _s3(name, query)
        case DestinationType.SFTP:
            return _sftp(name, query)


def checked_secrets(type_: DestinationType, secrets: DestinationSecrets) -> DestinationSecrets:
    """*secrets* if all that *type_* needs is there; the password may be empty: one is made."""
    for field, value in msgspec.structs.asdict(secrets).items():
        if field == "jump_logins":
            if value:
                raise InvalidRequestError("jump_logins are those of the devices on the way.")
            continue
        if field == "sftp_private_key":
            checked_text(value, "private_key", longest=LONGEST_KEY)
            continue
        checked_text(value, field)
        if "\n" in value or "\r" in value:
            raise InvalidRequestError(f"{field} has a line break in it.")
    if type_ is DestinationType.S3:
        for field in ("s3_access_key", "s3_secret_key"):
            if not getattr(secrets, field):
                raise InvalidRequestError(
                    f"{field.removeprefix('s3_')} is empty.",
                    guidance="Make an access key for the bucket and give both of its parts.",
                )
    if bool(secrets.s3_maintenance_access_key) != bool(secrets.s3_maintenance_secret_key):
        raise InvalidRequestError(
            "Only one of maintenance_access_key and maintenance_secret_key is there.",
            guidance="Give both parts of the second key, or none.",
        )
    if type_ is DestinationType.SFTP and not (secrets.sftp_password or secrets.sftp_private_key):
        raise InvalidRequestError(
            "password and private_key are both missing.", guidance="Give one of them."
        )
    return secrets


def _local(name: str, query: AddDestination) -> NewDestination:
    if query.device_id is None:
        raise InvalidRequestError(
            "device_id is missing.", guidance="Name the device that the path is on."
        )
    parent = absolute_path(query.path, "path")
    local_path = f"{parent.rstrip('/')}/{DIRECTORY}"
    return NewDestination(
        name=name,
        type=DestinationType.LOCAL,
        place=f"local:{query.device_id}:{local_path}",
        device_id=query.device_id,
        parent_path=parent,
        local_path=local_path,
    )


def _s3(name: str, query: AddDestination) -> NewDestination:
    place = s3_place(
        endpoint=query.s3_endpoint or provider_endpoint(query.s3_provider, query.s3_region),
        bucket=query.s3_bucket,
        region=query.s3_region,
        prefix=query.s3_prefix,
    )
    return NewDestination(
        name=name,
        type=DestinationType.S3,
        place=place.place,
        object_lock=checked_lock(query.object_lock),
        s3_endpoint=place.endpoint,
        s3_bucket=place.bucket,
        s3_region=place.region,
        s3_prefix=place.prefix,
        s3_addressing=query.s3_addressing,
        s3_ca_certificate=checked_certificate(query.s3_ca_certificate),
    )


def checked_lock(lock: ObjectLock | None) -> ObjectLock | None:
    """*lock*, or InvalidRequestError when it would hold for too long, or not at all."""
    if lock is not None and not 0 < lock.days <= MOST_LOCK_DAYS:
        raise InvalidRequestError(
            f"object_lock: {lock.days} days are not from 1 to {MOST_LOCK_DAYS}."
        )
    return lock


def _sftp(name: str, query: AddDestination) -> NewDestination:
    host, port = checked_host(query.sftp_host), checked_port(query.sftp_port)
    user = checked_name(query.sftp_user, "user")
    parent = _remote_path(query.path)
    path = posixpath.normpath(posixpath.join(parent, DIRECTORY))
    return NewDestination(
        name=name,
        type=DestinationType.SFTP,
        place=f"sftp:{user}@{host}:{port}:{path}",
        parent_path=parent,
        sftp_host=host,
        sftp_port=port,
        sftp_user=user,
        sftp_path=path,
        sftp_host_key=checked_host_key(query.sftp_host_key),
    )


def _remote_path(value: str) -> str:
    """Absolute, or below the user's home, where many servers put people; there '.' is the home."""
    text = checked_text(value, "path").strip()
    if text.startswith("/"):
        return absolute_path(text, "path")
    text = "." if text == "~" else text.removeprefix("~/")
    if not text or ".." in text.split("/") or not text.isprintable():
        raise InvalidRequestError(
            f"path: {value!r} cannot be used.",
            guidance="Write the directory on the server, as in /volume1/backups, or one below "
            "the user's home, as in backups.",
        )
    return posixpath.normpath(text)
