"""A repository as restic's users write it, as a destination of ours."""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePosixPath
from uuid import UUID

from holdfast.events.portable import PortableDestination, PortableDevice
from holdfast.events.work import DestinationSecrets, DestinationType
from holdfast.kernel.errors import InvalidRequestError

_S3 = re.compile(r"s3:(?://)?(?P<endpoint>https?://[^/]+|[^/]+)/(?P<bucket>[^/]+)/?(?P<prefix>.*)")
_OTHERS = re.compile(r"(azure|b2|gs|rclone|rest|sftp|swift):.*")


class UnsupportedRepositoryError(InvalidRequestError):
    """This kind of repository cannot be taken over."""

    code = "unsupported_repository"


def destination_of(
    url: str,
    destination_id: UUID,
    name: str,
    device: PortableDevice,
    now: datetime,
    *,
    region: str = "",
    base: PurePosixPath | None = None,
) -> PortableDestination:
    """The destination at *url*; a relative path starts at *base*.

    Raises UnsupportedRepositoryError, whose message says what to do instead.
    """
    if found := _S3.fullmatch(url):
        return PortableDestination(
            id=destination_id,
            created_at=now,
            name=name,
            type=DestinationType.S3,
            s3_endpoint=found["endpoint"],
            s3_bucket=found["bucket"],
            s3_prefix=found["prefix"].strip("/"),
            s3_region=region,
        )
    if other := _OTHERS.fullmatch(url):
        # Not the address: a REST server's may hold a password.
        raise UnsupportedRepositoryError(
            f"Repositories by {other[1]!r} are not taken over.", guidance=_INSTEAD.get(other[1], "")
        )
    path = PurePosixPath(url.removeprefix("local:"))
    if not path.is_absolute():
        if base is None or str(path).startswith("~"):
            raise UnsupportedRepositoryError(
                f"The path {str(path)!r} is not absolute.", guidance="Write the whole path."
            )
        path = base / path
    return PortableDestination(
        id=destination_id,
        created_at=now,
        name=name,
        type=DestinationType.LOCAL,
        local_device_id=device.id,
        local_path=str(path),
        parent_path=str(path.parent),
    )


def secrets_of(
    destination: PortableDestination, password: str, environment: Mapping[str, str]
) -> DestinationSecrets:
    """What opens it.  Raises UnsupportedRepositoryError when something is missing."""
    if not password:
        raise UnsupportedRepositoryError("Its password is not known.")
    if destination.type is not DestinationType.S3:
        return DestinationSecrets(repo_password=password)
    access, secret = (
        environment.get("AWS_ACCESS_KEY_ID", ""),
        environment.get("AWS_SECRET_ACCESS_KEY", ""),
    )
    if not (access and secret):
        raise UnsupportedRepositoryError(
            "Its keys are not known.",
            guidance="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        )
    return DestinationSecrets(repo_password=password, s3_access_key=access, s3_secret_key=secret)


_INSTEAD = {
    "b2": "Backblaze serves the same bucket over S3: write s3:https://s3.REGION.backblazeb2.com/"
    "BUCKET/PATH, with an application key.",
    "sftp": "Add it as an SFTP destination with its key and password: its snapshots come with it.",
}
