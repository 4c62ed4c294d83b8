"""A repository as restic's users write it, as a destination of ours."""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePosixPath
from uuid import UUID

import msgspec

from holdfast.events.portable import PortableDestination, PortableDevice
from holdfast.events.work import DestinationSecrets, DestinationType
from holdfast.kernel.errors import InvalidRequestError

_S3 = re.compile(r"s3:(?://)?(?P<endpoint>https?://[^/]+|[^/]+)/(?P<bucket>[^/]+)/?(?P<prefix>.*)")
_SFTP = re.compile(
    r"sftp:(?://(?P<user>[^@/]+)@(?P<host>\[[^\]]+\]|[^:/]+)(?::(?P<port>\d+))?/(?P<path>.+)"
    r"|(?P<user2>[^@/]+)@(?P<host2>\[[^\]]+\]|[^:/]+):(?P<path2>.+))"
)
"""restic's two forms; after the host of the first, a path from the root has two slashes."""
_OTHERS = re.compile(r"(azure|b2|gs|rclone|rest|sftp|swift):.*")


class SftpLogin(msgspec.Struct, frozen=True, kw_only=True):
    """What opens SFTP servers, and what they must show."""

    private_key: str = ""
    password: str = ""
    host_key: str = ""
    """A public key or its fingerprint; empty: the first one shown is trusted."""


NO_LOGIN = SftpLogin()


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
    sftp: SftpLogin | None = None,
) -> PortableDestination:
    """The destination at *url*; a relative path starts at *base*.

    SFTP only with a login: what another tool uses, SSH's own settings, is not ours to read.

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
    if sftp is not None and (found := _SFTP.fullmatch(url)):
        return PortableDestination(
            id=destination_id,
            created_at=now,
            name=name,
            type=DestinationType.SFTP,
            sftp_user=found["user"] or found["user2"],
            sftp_host=(found["host"] or found["host2"]).strip("[]"),
            sftp_port=int(found["port"] or 22),
            sftp_path=found["path"] or found["path2"],
            sftp_host_key=sftp.host_key,
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
    destination: PortableDestination,
    password: str,
    environment: Mapping[str, str],
    sftp: SftpLogin = NO_LOGIN,
) -> DestinationSecrets:
    """What opens it.  Raises UnsupportedRepositoryError when something is missing."""
    if not password:
        raise UnsupportedRepositoryError("Its password is not known.")
    if destination.type is DestinationType.SFTP:
        if not (sftp.private_key or sftp.password):
            raise UnsupportedRepositoryError(
                "Its server's login is not known.",
                guidance="Give --sftp-key or --sftp-password-file.",
            )
        return DestinationSecrets(
            repo_password=password, sftp_password=sftp.password, sftp_private_key=sftp.private_key
        )
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
