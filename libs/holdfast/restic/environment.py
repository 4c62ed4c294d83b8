"""How a repository reaches restic: what may be seen, and what goes through descriptors.

Arguments and environment of a process are readable to others (``ps e``), so they hold
the address and limits only.  A password or key is a descriptor of memory, whose path
restic finds in one of its ``…_FILE`` variables.
"""

import shlex
from collections.abc import Mapping

from holdfast.kernel.errors import InvalidRequestError
from holdfast.kernel.secret import Secret
from holdfast.restic.repository import Repository, S3Access

PROGRESS_PER_SECOND = "4"
"""With --json restic reports 60 times a second unless told otherwise."""


class ConflictingCredentialsError(InvalidRequestError):
    """restic can use one set of credentials of a kind at a time, and these are two."""

    code = "conflicting_credentials"
    guidance = "Reach one of the two repositories through a relay."


def arguments_of(repository: Repository) -> tuple[str, ...]:
    """restic's global options for *repository*."""
    argv: list[str] = []
    if repository.cache_dir is not None:
        argv += ["--cache-dir", repository.cache_dir]
    if repository.upload_limit:
        argv += ["--limit-upload", str(repository.upload_limit)]
    if repository.download_limit:
        argv += ["--limit-download", str(repository.download_limit)]
    if repository.compression:
        argv += ["--compression", repository.compression]
    if repository.pack_size:
        argv += ["--pack-size", str(repository.pack_size)]
    if repository.key_hint:
        argv += ["--key-hint", repository.key_hint]
    if repository.s3 is not None:
        argv += ["-o", f"s3.bucket-lookup={repository.s3.bucket_lookup}"]
        if repository.s3.region:
            argv += ["-o", f"s3.region={repository.s3.region}"]
    if repository.sftp is not None:
        argv += ["-o", f"sftp.command={shlex.join(repository.sftp.command)}"]
    for option in repository.options:
        argv += ["-o", option]
    return tuple(argv)


def environment_of(repository: Repository) -> dict[str, str]:
    """Variables without secrets."""
    environment = {"RESTIC_PROGRESS_FPS": PROGRESS_PER_SECOND}
    if not repository.names_a_password:
        environment["RESTIC_REPOSITORY"] = repository.url
    if repository.sftp is not None:
        environment |= repository.sftp.environment
    return environment


def secrets_of(repository: Repository) -> dict[str, Secret]:
    """Variables that name a descriptor, and what is read from it."""
    secrets = {"RESTIC_PASSWORD_FILE": repository.password}
    if repository.names_a_password:
        secrets["RESTIC_REPOSITORY_FILE"] = Secret(repository.url)
    if repository.s3 is not None:
        secrets["AWS_SHARED_CREDENTIALS_FILE"] = credentials_file(repository.s3)
    if repository.ca_certificates:
        secrets["RESTIC_CACERT"] = Secret(repository.ca_certificates)
    if repository.sftp is not None:
        secrets |= repository.sftp.secrets
    return secrets


def can_be_both(source: Repository, into: Repository) -> bool:
    """Whether one restic can use both: it knows one set of credentials and one SFTP program."""
    if source.sftp is not None or bool(source.ca_certificates) != bool(into.ca_certificates):
        return False
    return source.s3 is None or into.s3 is None or _are_the_same(source.s3, into.s3)


def _are_the_same(one: S3Access, other: S3Access) -> bool:
    return (one.access_key, one.secret_key, one.region, one.bucket_lookup) == (
        other.access_key,
        other.secret_key,
        other.region,
        other.bucket_lookup,
    )


def from_repository(
    source: Repository, into: Repository
) -> tuple[Mapping[str, str], Mapping[str, Secret]]:
    """Environment and secrets of *source* as the second repository of copy and init.

    Raises ConflictingCredentialsError unless ``can_be_both``.
    """
    if not can_be_both(source, into):
        raise ConflictingCredentialsError
    environment: dict[str, str] = {}
    secrets = {"RESTIC_FROM_PASSWORD_FILE": source.password}
    if source.names_a_password:
        secrets["RESTIC_FROM_REPOSITORY_FILE"] = Secret(source.url)
    else:
        environment["RESTIC_FROM_REPOSITORY"] = source.url
    if source.key_hint:
        environment["RESTIC_FROM_KEY_HINT"] = source.key_hint
    if source.s3 is not None:
        secrets["AWS_SHARED_CREDENTIALS_FILE"] = credentials_file(source.s3)
    return environment, secrets


def credentials_file(access: S3Access) -> Secret:
    """The AWS credentials file with *access* as its default profile.

    Backticks keep '#', ';' and quotes literal for restic's reader of such files.
    """
    keys = (access.access_key.reveal(), access.secret_key.reveal())
    if any("\n" in key or "\r" in key or key.endswith("`") for key in keys):
        raise InvalidRequestError("An S3 key holds a line break or ends in a backtick.")
    return Secret(
        f"[default]\naws_access_key_id = `{keys[0]}`\naws_secret_access_key = `{keys[1]}`\n"
    )
