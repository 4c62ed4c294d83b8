"""Where a destination is, spelled one way, so that the same place is known again."""

import re
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from holdfast.catalog.domain.admission import RUNS_PER_DESTINATION
from holdfast.catalog.domain.limits import checked_limits
from holdfast.catalog.domain.paths import absolute_path
from holdfast.catalog.domain.text import checked_name, checked_text
from holdfast.events.limits import NO_LIMITS, Limits
from holdfast.events.queries import AddDestination
from holdfast.events.work import DestinationAddress, DestinationSecrets, DestinationType
from holdfast.kernel.errors import InvalidRequestError

DIRECTORY = "homelab-backups"
"""Made below the path that a person names, so that a repository never mixes with other files."""

MOST_RUNS = 64

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")
_REGION = re.compile(r"[A-Za-z0-9-]{0,64}")
_DEFAULT_PORTS = {"http": 80, "https": 443}


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
    max_runs: int = RUNS_PER_DESTINATION
    limits: Limits = NO_LIMITS
    append_only: bool = False

    def address(self, destination_id: UUID, *, cheap_key: bool) -> DestinationAddress:
        """The same for an executor; the repository's id is not known yet."""
        return DestinationAddress(
            destination_id=destination_id,
            name=self.name,
            type=self.type,
            local_path=self.local_path,
            s3_endpoint=self.s3_endpoint,
            s3_bucket=self.s3_bucket,
            s3_region=self.s3_region,
            s3_prefix=self.s3_prefix,
            cheap_key=cheap_key,
            limits=self.limits,
            append_only=self.append_only,
        )


def new_destination(query: AddDestination, default_zone: str = "UTC") -> NewDestination:
    """What *query* asks for; InvalidRequestError names the field that will not do."""
    return msgspec.structs.replace(
        _new_destination(query),
        max_runs=checked_max_runs(query.max_runs),
        limits=checked_limits(query.limits, default_zone),
        append_only=query.append_only,
    )


def checked_max_runs(count: int) -> int:
    """InvalidRequestError when it is out of range."""
    if not 0 < count <= MOST_RUNS:
        raise InvalidRequestError(f"max_runs: {count} is not from 1 to {MOST_RUNS}.")
    return count


def _new_destination(query: AddDestination) -> NewDestination:
    name = checked_name(query.name)
    match query.type:
        case DestinationType.LOCAL:
            return _local(name, query)
        case DestinationType.S3:
            return _s3(name, query)
        case DestinationType.SFTP:
            raise InvalidRequestError(
                "type: SFTP destinations cannot be added in this version.",
                guidance="Use type 's3' or 'local'.",
            )


def checked_secrets(type_: DestinationType, secrets: DestinationSecrets) -> DestinationSecrets:
    """*secrets* if all that *type_* needs is there; the password may be empty: one is made."""
    for field, value in msgspec.structs.asdict(secrets).items():
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
    endpoint, host = _endpoint(query.s3_endpoint)
    if not _BUCKET.fullmatch(query.s3_bucket):
        raise InvalidRequestError(f"bucket: {query.s3_bucket!r} is not the name of a bucket.")
    if not _REGION.fullmatch(query.s3_region):
        raise InvalidRequestError(f"region: {query.s3_region!r} is not the name of a region.")
    prefix = _prefix(query.s3_prefix)
    return NewDestination(
        name=name,
        type=DestinationType.S3,
        place=f"s3:{host}/{query.s3_bucket}/{prefix}",
        s3_endpoint=endpoint,
        s3_bucket=query.s3_bucket,
        s3_region=query.s3_region,
        s3_prefix=prefix,
    )


def _endpoint(value: str) -> tuple[str, str]:
    """The endpoint in lower case without a slash at the end, and its host with the port.

    Without a scheme it means https, and is kept without one, as providers print it.
    """
    text = checked_text(value, "endpoint", longest=500).strip().rstrip("/").lower()
    if "@" in text:
        # Not quoted back: what stands before the sign is secret.
        raise InvalidRequestError(
            "endpoint: an address has no user name or password in it.",
            guidance="access_key and secret_key have fields of their own.",
        )
    scheme, mark, _ = text.partition("://")
    parts = urlsplit(text if mark else f"https://{text}")
    try:
        port = parts.port
    except ValueError as error:
        raise InvalidRequestError(f"endpoint: {value!r} has no valid port.") from error
    host = parts.netloc if port is None else parts.netloc.rpartition(":")[0]
    if (
        (mark and scheme not in _DEFAULT_PORTS)
        or parts.path
        or parts.query
        or parts.fragment
        or not _HOST.fullmatch(host)
    ):
        raise InvalidRequestError(
            f"endpoint: {value!r} is not the address of an S3 service.",
            guidance="Write a host such as s3.us-west-002.backblazeb2.com, or a URL such as "
            "http://nas.lan:9000, without the bucket.",
        )
    usual = _DEFAULT_PORTS[scheme if mark else "https"]
    return text, host if port in (None, usual) else f"{host}:{port}"


def _prefix(value: str) -> str:
    """Path parts with one slash between and none around."""
    parts = [part for part in checked_text(value, "prefix", longest=500).split("/") if part]
    if any(part in (".", "..") or not part.isprintable() for part in parts):
        raise InvalidRequestError(f"prefix: {value!r} cannot be used.")
    return "/".join(parts)
