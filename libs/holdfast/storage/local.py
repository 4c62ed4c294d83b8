"""A directory of this machine: a disk, a mounted NAS, a USB drive."""

import asyncio
import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec, TypeVar
from uuid import uuid4

from holdfast.storage.base import (
    DATA_FOLDERS,
    LOCK_NAME,
    REPOSITORY_PARTS,
    Found,
    LocalTarget,
    checked_lock,
    digest_of,
)
from holdfast.storage.errors import (
    NotJustInitialisedError,
    PathMissingError,
    PathNotDirectoryError,
    PathNotWritableError,
    PathUnreadableError,
    StorageError,
    StorageFullError,
)

T = TypeVar("T")
P = ParamSpec("P")

LEAVE_SECONDS = 10.0
"""How long a cancelled caller waits for a thread; a share that hangs keeps its own for ever."""


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """``asyncio.to_thread`` that does not leave its work behind when it is cancelled.

    A thread cannot be stopped: left alone it would make a directory just after the one who
    cleans up has looked.
    """
    task = asyncio.create_task(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=LEAVE_SECONDS)
        raise


class LocalBackend:
    """Files may hang (a share that is away), so all of it runs in threads."""

    def __init__(self, target: LocalTarget) -> None:
        self._path = Path(target.path)
        self._parent = Path(target.parent) if target.parent else None

    @property
    def repository_url(self) -> str:
        return str(self._path)

    @property
    def place(self) -> str:
        return str(self._path)

    async def probe(self, *, write: bool) -> Found:
        return await in_thread(self._probe, write)

    async def prepare(self) -> None:
        await in_thread(self._prepare)

    async def remove_initialisation(self) -> None:
        await in_thread(self._remove_initialisation)

    async def list_keys(self) -> tuple[str, ...]:
        return await in_thread(self._names, "keys")

    async def read_key(self, name: str) -> bytes:
        return await in_thread((self._path / "keys" / name).read_bytes)

    async def write_key(self, name: str, content: bytes) -> None:
        await in_thread(_write_whole, self._path / "keys" / name, content)

    async def delete_key(self, name: str) -> None:
        await in_thread((self._path / "keys" / name).unlink, missing_ok=True)

    async def list_locks(self) -> tuple[str, ...]:
        names = await in_thread(self._names, "locks")
        return tuple(name for name in names if LOCK_NAME.fullmatch(name))

    async def delete_lock(self, name: str) -> None:
        path = self._path / "locks" / checked_lock(name)
        await in_thread(path.unlink, missing_ok=True)

    def _probe(self, write: bool) -> Found:
        place = self._parent if self._parent is not None else self._path
        _insist_on_directory(place)
        if self._path.exists():
            _insist_on_directory(self._path)
            place = self._path
        if write:
            _try_writing(place)
        try:
            parts = REPOSITORY_PARTS.intersection(os.listdir(self._path))
        except FileNotFoundError:
            parts = frozenset()
        except PermissionError as error:
            raise PathNotWritableError(
                f"{self._path} cannot be read.", detail=str(error)
            ) from error
        return Found(
            has_config="config" in parts,
            has_parts=any(_holds_something(self._path / part) for part in parts),
            has_data=self._has_data(),
            config_digest=_digest(self._path / "config") if "config" in parts else "",
            free_bytes=_free_bytes(place),
        )

    def _has_data(self) -> bool:
        return any(_holds_a_file(self._path / folder) for folder in DATA_FOLDERS)

    def _prepare(self) -> None:
        """The directory below the one that was named; that one itself is never made."""
        if self._parent is not None:
            _insist_on_directory(self._parent)
        try:
            self._path.mkdir(mode=0o700, exist_ok=True)
        except FileNotFoundError as error:
            raise PathMissingError(f"{self._path.parent} is not there.") from error
        except OSError as error:
            raise PathNotWritableError(
                f"{self._path} cannot be made.", detail=str(error)
            ) from error

    def _remove_initialisation(self) -> None:
        if not self._path.exists():
            return
        if self._has_data():
            raise NotJustInitialisedError(f"{self._path} holds data; nothing was removed.")
        # The config first: what is left then is no repository, and is cleaned next time.
        (self._path / "config").unlink(missing_ok=True)
        for name in self._names("keys"):
            (self._path / "keys" / name).unlink(missing_ok=True)
        for folder, _, _ in os.walk(self._path, topdown=False):
            with suppress(OSError):  # not empty: it holds something that is not ours
                os.rmdir(folder)

    def _names(self, folder: str) -> tuple[str, ...]:
        try:
            return tuple(sorted(os.listdir(self._path / folder)))
        except FileNotFoundError:
            return ()


def _insist_on_directory(path: Path) -> None:
    try:
        is_directory = path.is_dir()
        exists = is_directory or path.exists()
    except OSError as error:
        raise PathMissingError(f"{path} cannot be looked at.", detail=str(error)) from error
    if not exists:
        raise PathMissingError(f"{path} is not there.")
    if not is_directory:
        raise PathNotDirectoryError(f"{path} is not a directory.")


def _try_writing(place: Path) -> None:
    probe = place / f".holdfast-probe-{uuid4().hex}"
    try:
        with probe.open("xb") as file:
            file.write(b"holdfast was here\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise write_error(place, error) from error
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


def write_error(place: Path, error: OSError) -> StorageError:
    """What *error* means for somebody who wanted to write at *place*."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFullError(f"There is no space left at {place}.", detail=str(error))
    return PathNotWritableError(f"{place} cannot be written to.", detail=str(error))


def _holds_something(path: Path) -> bool:
    return path.is_file() or _holds_a_file(path)


def _holds_a_file(path: Path) -> bool:
    """restic makes 256 empty folders below data/; only files count."""

    def fail(error: OSError) -> None:
        # A folder that cannot be read is not an empty one: it may hold everything.
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise PathUnreadableError(f"{path} cannot be read.", detail=str(error)) from error

    return any(files for _, _, files in os.walk(path, onerror=fail))


def _digest(config: Path) -> str:
    try:
        return digest_of(config.read_bytes())
    except OSError as error:
        raise PathUnreadableError(f"{config} cannot be read.", detail=str(error)) from error


def _free_bytes(path: Path) -> int | None:
    try:
        told = os.statvfs(path)
    except OSError:
        return None
    return told.f_bavail * told.f_frsize


def _write_whole(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.chmod(0o400)
    part.replace(path)
