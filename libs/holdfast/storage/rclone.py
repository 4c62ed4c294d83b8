"""rclone's view of a destination: one remote, told in a file that only rclone reads."""

from pathlib import Path

import msgspec

from holdfast.devices.base import Program, ProgramNotFoundError, Runner
from holdfast.devices.find import find_program
from holdfast.kernel.errors import InvalidRequestError
from holdfast.kernel.secret import Secret
from holdfast.storage.base import LocalTarget, S3Target, SftpTarget, Target
from holdfast.storage.errors import StorageError
from holdfast.storage.registry import reachable
from holdfast.storage.s3_address import bucket_folder, endpoint_url, is_virtual_host

CONFIG = "RCLONE_CONFIG"

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
    secrets: dict[str, Secret]
    """rclone's variables that name a file, and its content: of its configuration for one."""


def find_rclone(named: Path | None = None) -> Path:
    """The binary that was *named*, else the one beside Python or on PATH.

    Raises RcloneMissingError.
    """
    try:
        return find_program("rclone", named)
    except ProgramNotFoundError as error:
        raise RcloneMissingError(error.message) from error


async def remote_of(target: Target, rclone: Path, runner: Runner) -> Remote:
    """The remote for *target*: each kind of storage has its own few lines here.

    Raises InvalidRequestError for a value that cannot be written down for rclone.
    """
    match target:
        case LocalTarget():
            return Remote(path=f"{NAME}:{target.path}", secrets={CONFIG: _config(type="local")})
        case S3Target():
            place = f"{target.bucket}/{bucket_folder(target)}".rstrip("/")
            secrets = {CONFIG: _s3(target)}
            if target.ca_certificate:
                secrets["RCLONE_CA_CERT"] = Secret(target.ca_certificate)
            return Remote(path=f"{NAME}:{place}", secrets=secrets)
        case SftpTarget():
            secrets = await _sftp(target, rclone, runner)
            return Remote(path=f"{NAME}:{target.path}", secrets=secrets)


async def purge(
    rclone: Path, runner: Runner, target: Target, folder: str, *, run_id: str = ""
) -> None:
    """Delete everything in *folder* of the destination, if it is there.

    Raises StorageError, and ValueError for no folder: that would be the repository.
    """
    if not folder.strip("/."):
        raise ValueError("a folder of the destination is needed")
    async with reachable(target) as near:
        code, said = await _purged(rclone, runner, near, folder, run_id)
    if code not in (0, NOT_FOUND):
        raise StorageError(f"{folder} could not be deleted.", detail="\n".join(said[-10:])[:4000])


async def _purged(
    rclone: Path, runner: Runner, target: Target, folder: str, run_id: str
) -> tuple[int, list[str]]:
    """rclone's exit code, and what it said."""
    remote = await remote_of(target, rclone, runner)
    program = Program(
        argv=(str(rclone), "purge", "--retries", "1", "--", f"{remote.path}/{folder}"),
        run_id=run_id,
        secrets=remote.secrets,
    )
    async with runner.start(program) as process:
        said = [line.decode(errors="backslashreplace") async for line in process.error_lines()]
        return await process.wait(), said


def _s3(target: S3Target) -> Secret:
    return _config(
        type="s3",
        provider="Other",
        endpoint=endpoint_url(target.endpoint),
        region=target.region or "us-east-1",
        force_path_style="false" if is_virtual_host(target) else "true",
        access_key_id=target.access_key.reveal(),
        secret_access_key=target.secret_key.reveal(),
        # The bucket is there, or the probe before it has said so; a key for backups need not
        # be allowed to make one.
        no_check_bucket="true",
    )


async def _sftp(target: SftpTarget, rclone: Path, runner: Runner) -> dict[str, Secret]:
    host = target.host if target.port == 22 else f"[{target.host}]:{target.port}"
    values = {
        "type": "sftp",
        "host": target.host,
        "port": str(target.port),
        "user": target.user,
        # Nothing is to be run there: what rclone would ask of a shell it asks of SFTP.
        "shell_type": "none",
        "disable_hashcheck": "true",
    }
    secrets = {"RCLONE_SFTP_KNOWN_HOSTS_FILE": Secret(f"{host} {target.host_key}\n")}
    if target.password.reveal():
        values["pass"] = await _obscured(target.password, rclone, runner)
    if target.private_key.reveal():
        secrets["RCLONE_SFTP_KEY_FILE"] = target.private_key
        if target.passphrase.reveal():
            values["key_file_pass"] = await _obscured(target.passphrase, rclone, runner)
    return {CONFIG: _config(**values), **secrets}


async def _obscured(secret: Secret, rclone: Path, runner: Runner) -> str:
    """As rclone wants a password in its file: not hidden, only not readable at a glance."""
    async with runner.start(Program(argv=(str(rclone), "obscure", "-"), stdin=secret)) as process:
        lines = [line async for line in process.lines()]
        if await process.wait() != 0 or len(lines) != 1:
            raise StorageError("The password cannot be given to rclone.")
    return lines[0].decode()


def _config(**values: str) -> Secret:
    for name, value in values.items():
        # What rclone's reader of such files would take for a quotation or a reference.
        if any(sign in value for sign in ("\n", "\r", "%(")) or value[:1] in ("`", '"'):
            raise InvalidRequestError(f"The destination's {name} cannot be given to rclone.")
    lines = [f"{name} = {value}" for name, value in values.items()]
    return Secret("\n".join([f"[{NAME}]", *lines, ""]))
