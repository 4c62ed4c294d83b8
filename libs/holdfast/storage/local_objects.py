"""The objects of a repository in a directory."""

import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from holdfast.storage.base import LocalTarget
from holdfast.storage.errors import PathUnreadableError
from holdfast.storage.local import in_thread, write_error
from holdfast.storage.objects import (
    ABANDONED_SECONDS,
    CHUNK,
    INCOMING,
    NAME,
    SET_ASIDE,
    ObjectInfo,
    ObjectMissingError,
    checked_path,
)


class LocalObjects:
    """Files may hang (a share that is away), so all of it runs in threads."""

    def __init__(self, target: LocalTarget) -> None:
        self._root = Path(target.path)

    async def names(self, folder: str) -> Mapping[str, ObjectInfo]:
        return await in_thread(lambda: dict(_found(self._root / folder)))

    async def size(self, path: str) -> int | None:
        return await in_thread(_size, self._path(path))

    async def read(self, path: str) -> AsyncIterator[bytes]:
        file = await in_thread(_open, self._path(path))
        try:
            while chunk := await in_thread(_read, file):
                yield chunk
        finally:
            file.close()

    @asynccontextmanager
    async def receive(self, path: str) -> AsyncIterator["LocalIncoming"]:
        incoming = await in_thread(LocalIncoming, self._path(path), self._root / INCOMING)
        try:
            yield incoming
        finally:
            # Not awaited: when this is cancelled, nothing may keep the file from going.
            incoming.close()

    async def delete(self, path: str) -> None:
        await in_thread(self._path(path).unlink, missing_ok=True)

    async def set_aside(self, path: str) -> None:
        await in_thread(_move, self._path(path), self._aside(path))

    async def aside(self) -> tuple[str, ...]:
        folder = self._root / SET_ASIDE
        return await in_thread(
            lambda: tuple(
                sorted(
                    str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()
                )
            )
        )

    async def put_back(self, path: str) -> None:
        await in_thread(_move, self._aside(path), self._path(path))

    def _path(self, path: str) -> Path:
        return self._root / checked_path(path)

    def _aside(self, path: str) -> Path:
        return self._root / SET_ASIDE / checked_path(path)


class LocalIncoming:
    """A file under another name until it is whole and on the disk."""

    def __init__(self, path: Path, folder: Path) -> None:
        self._path = path
        self._part = folder / uuid4().hex
        try:
            for each in (folder, path.parent):
                each.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sweep(folder)
            self._file = self._part.open("xb")
        except OSError as error:
            raise write_error(path.parent, error) from error

    async def write(self, chunk: bytes) -> None:
        await in_thread(self._write, chunk)

    async def commit(self) -> None:
        await in_thread(self._commit)

    def close(self) -> None:
        """Nothing is left of what was not committed."""
        self._file.close()
        with suppress(OSError):
            self._part.unlink(missing_ok=True)
            self._part.parent.rmdir()  # unless others are at it

    def _write(self, chunk: bytes) -> None:
        try:
            self._file.write(chunk)
        except OSError as error:
            raise write_error(self._path.parent, error) from error

    def _commit(self) -> None:
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._part.chmod(0o400)
            self._part.replace(self._path)
            _sync_folder(self._path.parent)
        except OSError as error:
            raise write_error(self._path.parent, error) from error


def _sweep(folder: Path) -> None:
    """Remove what was left by the dead."""
    for each in folder.iterdir():
        with suppress(FileNotFoundError):
            if time.time() - each.stat().st_mtime > ABANDONED_SECONDS:
                each.unlink()


def _found(folder: Path) -> Iterator[tuple[str, ObjectInfo]]:
    def fail(error: OSError) -> None:
        # A folder that cannot be read is not an empty one.
        if not isinstance(error, FileNotFoundError):
            raise PathUnreadableError(f"{folder} cannot be read.", detail=str(error)) from error

    for parent, _, names in os.walk(folder, onerror=fail):
        for name in names:
            if not NAME.fullmatch(name):
                continue
            with suppress(FileNotFoundError):
                stat = os.stat(os.path.join(parent, name))
                modified_at = datetime.fromtimestamp(stat.st_mtime, UTC)
                yield name, ObjectInfo(size=stat.st_size, modified_at=modified_at)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise ObjectMissingError(f"{path} is not there.") from error
    except OSError as error:
        raise PathUnreadableError(f"{path} cannot be read.", detail=str(error)) from error


def _read(file: BinaryIO) -> bytes:
    try:
        return file.read(CHUNK)
    except OSError as error:
        raise PathUnreadableError(f"{file.name} cannot be read.", detail=str(error)) from error


def _move(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        source.replace(target)
        _sync_folder(target.parent)
    except FileNotFoundError:
        return
    except OSError as error:
        raise write_error(target.parent, error) from error


def _sync_folder(folder: Path) -> None:
    """So that a new name in it outlives a power cut.  Some shares cannot do that."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
