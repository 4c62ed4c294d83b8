"""Holdfast itself, as what is backed up: one file, made in memory and given to restic from there.

The database is the catalog's: it hands a script over, in which secrets are sealed as they are in
the database.  The settings are this executor's, and the files are those that it is shown.
"""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from holdfast.events.queries import ReadDatabase
from holdfast.events.system import SystemType
from holdfast.executor.attempt import Attempt, in_thread
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.secret import Secret
from holdfast.restic.commands.backup import BackupOptions
from holdfast.settings import Settings

AGAIN_SECONDS = 0.2
MOST_BYTES = 1 << 30
"""It is in memory: of a file that large somebody should know."""

SETTINGS_FILE = "settings.json"
HIDDEN = "(set, and not in this file)"


class TooLargeError(HoldfastError):
    """What is to be backed up of Holdfast itself does not fit into memory."""

    code = "system_backup_too_large"
    guidance = "Back it up as an app, or name fewer files in HOLDFAST_PLATFORM_PATHS."


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """The file, and what of it could not be read."""

    content: bytes
    lacking: tuple[str, ...] = ()


async def system_options(
    attempt: Attempt, kind: SystemType, options: BackupOptions
) -> tuple[BackupOptions, tuple[str, ...]]:
    """*options*, whose one path is the file's name, with what is in it; and what that lacks.

    Raises what the catalog raises, and TooLargeError.
    """
    if kind is SystemType.DATABASE:
        made = Content(content=await _database(attempt))
    else:
        settings = attempt.deps.platform
        if settings is None:
            raise HoldfastError(detail="this executor was not given its settings")
        made = await in_thread(lambda: platform_files(settings))
    options = msgspec.structs.replace(
        options, paths=(), content=made.content, stdin_filename=options.paths[0]
    )
    return options, made.lacking


async def _database(attempt: Attempt) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        asked = ReadDatabase(run_id=attempt.work.run_id, claim=attempt.claim.claim, part=len(parts))
        told = await attempt.ask(asked)
        if not told.ready:
            await attempt.hold.pause(AGAIN_SECONDS)
            continue
        parts.append(told.content)
        size += len(told.content)
        if size > MOST_BYTES:
            raise TooLargeError(f"The database is larger than {MOST_BYTES >> 20} MiB.")
        if told.is_last:
            return b"".join(parts)


def platform_files(settings: Settings) -> Content:
    """An archive of the settings in force, without secrets, and of the files named in them."""
    held, lacking = io.BytesIO(), []
    with tarfile.open(fileobj=held, mode="w", format=tarfile.PAX_FORMAT) as archive:
        told = msgspec.json.format(msgspec.json.encode(shown(settings)), indent=2) + b"\n"
        entry = tarfile.TarInfo(SETTINGS_FILE)
        entry.size, entry.mode = len(told), 0o600
        archive.addfile(entry, io.BytesIO(told))
        for root in settings.platform_paths:
            for path in _below(root):
                try:
                    archive.add(path, arcname=str(path).lstrip("/"), recursive=False)
                except OSError:
                    lacking.append(str(path))
                if held.tell() > MOST_BYTES:
                    raise TooLargeError(
                        f"The files in HOLDFAST_PLATFORM_PATHS are larger than "
                        f"{MOST_BYTES >> 20} MiB."
                    )
    return Content(content=held.getvalue(), lacking=tuple(lacking))


def _below(root: Path) -> list[Path]:
    """It, and all below it in order; links are not followed."""
    if root.is_symlink() or not root.is_dir():
        return [root]
    return [root, *sorted(root.rglob("*"))]


def shown(settings: Settings) -> Mapping[str, Any]:
    """The settings as text, with no secret in it."""
    return {name: _shown(getattr(settings, name)) for name in settings.__struct_fields__}


def _shown(value: Any) -> Any:
    match value:
        case Secret():
            return HIDDEN if value.reveal() else ""
        case Path():
            return str(value)
        case tuple():
            return [_shown(each) for each in value]
        case str() if "://" in value:
            return _without_login(value)
        case _:
            return value


def _without_login(url: str) -> str:
    """An address without what opens it: user, password, token, and whatever is asked after ?."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, "", "", ""))
