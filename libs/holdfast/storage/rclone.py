"""rclone's view of a destination: one remote, told in a file that only rclone reads."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from holdfast.devices.base import Program, ProgramNotFoundError, Runner
from holdfast.devices.programs import find_program
from holdfast.kernel.errors import InvalidRequestError
from holdfast.kernel.secret import Secret
from holdfast.storage.base import LocalTarget, S3Target, SftpTarget, Target
from holdfast.storage.errors import StorageError
from holdfast.storage.s3_address import bucket_folder, endpoint_url
from holdfast.storage.sftp_ticket import COMMAND, ENVIRONMENT, TICKET, ticket_of

NAME = "destination"
"""Of the one remote in the file."""


NOT_FOUND = 3
"""rclone's exit code when there is no such folder."""


class RcloneMissingError(StorageError):
    """No rclone was found, and without it nothing can be append-only."""

    code = "rclone_missing"
    guidance = "Run 'just setup', or name one with HOLDFAST_RCLONE."


class Remote(msgspec.Struct, frozen=True, kw_only=True):
    """A destination as rclone takes it."""

    path: str
    """An argument, without secrets: ``destination:bucket/prefix``."""
    config: Secret
    """The content of rclone's configuration file."""
    environment: Mapping[str, str] = {}
    secrets: Mapping[str, Secret] = {}
    """What a program that rclone starts inherits of it: see ``Program``."""


def find_rclone(named: Path | None = None) -> Path:
    """The binary that was *named*, else the one beside Python or on PATH.

    Raises RcloneMissingError.
    """
    try:
        return find_program("rclone", named)
    except ProgramNotFoundError as error:
        raise RcloneMissingError(error.message) from error


def remote_of(target: Target) -> Remote:
    """The remote for *target*: each kind of storage has its own few lines here.

    Raises InvalidRequestError for a value that cannot be written down for rclone.
    """
    match target:
        case LocalTarget():
            return Remote(path=f"{NAME}:{target.path}", config=_config(type="local"))
        case S3Target():
            place = f"{target.bucket}/{bucket_folder(target)}".rstrip("/")
            return Remote(path=f"{NAME}:{place}", config=_s3(target))
        case SftpTarget():
            return Remote(
                path=f"{NAME}:{target.path}",
                config=_sftp(target),
                environment=ENVIRONMENT,
                secrets={TICKET: ticket_of(target)},
            )


async def purge(
    rclone: Path, runner: Runner, target: Target, folder: str, *, run_id: str = ""
) -> None:
    """Delete everything in *folder* of the destination, if it is there.

    Raises StorageError, and ValueError for no folder: that would be the repository.
    """
    if not folder.strip("/."):
        raise ValueError("a folder of the destination is needed")
    remote = remote_of(target)
    program = Program(
        argv=(str(rclone), "purge", "--retries", "1", "--", f"{remote.path}/{folder}"),
        run_id=run_id,
        environment=remote.environment,
        secrets={"RCLONE_CONFIG": remote.config, **remote.secrets},
    )
    async with runner.start(program) as process:
        said = [line.decode(errors="backslashreplace") async for line in process.error_lines()]
        code = await process.wait()
    if code not in (0, NOT_FOUND):
        raise StorageError(f"{folder} could not be deleted.", detail="\n".join(said[-10:])[:4000])


def _s3(target: S3Target) -> Secret:
    return _config(
        type="s3",
        provider="Other",
        endpoint=endpoint_url(target.endpoint),
        region=target.region or "us-east-1",
        force_path_style="true",
        access_key_id=target.access_key.reveal(),
        secret_access_key=target.secret_key.reveal(),
        # The bucket is there, or the probe before it has said so; a key for backups need not
        # be allowed to make one.
        no_check_bucket="true",
    )


def _sftp(target: SftpTarget) -> Secret:
    """By the bridge that restic uses as well: it knows the login and the host key."""
    return _config(
        type="sftp",
        host=target.host,
        user=target.user,
        # Words are separated by blanks; one with a blank in it is quoted as in CSV.
        ssh=" ".join(f'"{word}"' if " " in word else word for word in COMMAND),
        shell_type="none",
        disable_hashcheck="true",
        # Several at once, as restic's own five, and none is closed in between.
        idle_timeout="0",
    )


def _config(**values: str) -> Secret:
    for name, value in values.items():
        # What rclone's reader of such files would take for a quotation or a reference.
        if any(sign in value for sign in ("\n", "\r", "%(")) or value[:1] in ("`", '"'):
            raise InvalidRequestError(f"The destination's {name} cannot be given to rclone.")
    lines = [f"{name} = {value}" for name, value in values.items()]
    return Secret("\n".join([f"[{NAME}]", *lines, ""]))
