"""A directory of another machine, over SFTP."""

import asyncio
import posixpath
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import asyncssh

from holdfast.storage.base import (
    DATA_FOLDERS,
    LOCK_NAME,
    Found,
    SftpTarget,
    checked_lock,
    digest_of,
)
from holdfast.storage.errors import (
    NotJustInitialisedError,
    PathMissingError,
    PathNotDirectoryError,
    PathNotWritableError,
    SftpOffError,
    StorageFullError,
)
from holdfast.storage.sftp_calls import AT_ONCE, replace, sync
from holdfast.storage.sftp_connection import connected
from holdfast.storage.sftp_errors import FULL, using_error

CALL_SECONDS = 60.0
"""The most that one call takes: a NAS that lets its disks sleep wakes them in ten."""

PROBE = b"holdfast was here\n"
ENOUGH_BYTES = 1024 * 1024
"""With less, a write that fails for no given reason failed for lack of space."""


class SftpBackend:
    """Each call is a connection of its own: destinations are asked seldom."""

    def __init__(self, target: SftpTarget) -> None:
        self._target = target
        self._path = target.path

    @property
    def repository_url(self) -> str:
        user, path = quote(self._target.user, safe=""), quote(self._path)
        # After the host one slash is eaten: a path from the root has two.
        return f"sftp://{user}@{self._host}:{self._target.port}/{path}"

    @property
    def place(self) -> str:
        return f"{self._path} on {self._target.where}"

    @property
    def _host(self) -> str:
        return f"[{self._target.host}]" if ":" in self._target.host else self._target.host

    async def probe(self, *, write: bool) -> Found:
        async with self._session() as sftp:
            place = self._target.parent or self._path
            await self._insist_on_directory(sftp, place)
            if await sftp.exists(self._path):
                await self._insist_on_directory(sftp, self._path)
                place = self._path
            if write:
                await self._try_writing(sftp, place)
            names = await self._names(sftp, "")
            has_config = "config" in names
            has_data = await self._has_data(sftp)
            return Found(
                has_config=has_config,
                has_parts=has_config or has_data or await self._any_holds(sftp, ("keys", "locks")),
                has_data=has_data,
                config_digest=await self._config_digest(sftp) if has_config else "",
                free_bytes=await _free_bytes(sftp, place),
            )

    async def prepare(self) -> None:
        """The directory below the one that was named; that one itself is never made."""
        async with self._session() as sftp:
            if self._target.parent:
                await self._insist_on_directory(sftp, self._target.parent)
            if not await sftp.isdir(self._path):
                await sftp.mkdir(self._path, asyncssh.SFTPAttrs(permissions=0o700))

    async def remove_initialisation(self) -> None:
        async with self._session() as sftp:
            if not await sftp.exists(self._path):
                return
            if await self._has_data(sftp):
                raise NotJustInitialisedError(f"{self.place} holds data; nothing was removed.")
            # The config first: what is left then is no repository, and is cleaned next time.
            for name in ["config", *(f"keys/{each}" for each in await self._names(sftp, "keys"))]:
                await self._remove(sftp, name)
            await self._remove_empty(sftp, "")

    async def list_keys(self) -> tuple[str, ...]:
        async with self._session() as sftp:
            return await self._names(sftp, "keys")

    async def read_key(self, name: str) -> bytes:
        async with self._session() as sftp:
            return await _read(sftp, self._at(f"keys/{name}"))

    async def write_key(self, name: str, content: bytes) -> None:
        async with self._session() as sftp:
            part = self._at(f"keys/.{name}.part")
            async with sftp.open(part, "wb") as file:
                await file.write(content)
                await sync(file)
            await replace(sftp, part, self._at(f"keys/{name}"))

    async def delete_key(self, name: str) -> None:
        async with self._session() as sftp:
            await self._remove(sftp, f"keys/{name}")

    async def list_locks(self) -> tuple[str, ...]:
        async with self._session() as sftp:
            names = await self._names(sftp, "locks")
        return tuple(name for name in names if LOCK_NAME.fullmatch(name))

    async def delete_lock(self, name: str) -> None:
        path = f"locks/{checked_lock(name)}"
        async with self._session() as sftp:
            await self._remove(sftp, path)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[asyncssh.SFTPClient]:
        """An open session for one call; as ``connect``."""
        try:
            async with asyncio.timeout(CALL_SECONDS), self.connect() as sftp:
                yield sftp
        except TimeoutError as error:
            raise using_error(error, self._target) from error

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[asyncssh.SFTPClient]:
        """An open session; what goes wrong inside is raised as the StorageError it means."""
        try:
            async with connected(self._target) as connection:
                try:
                    sftp = await connection.start_sftp_client()
                except (asyncssh.SFTPError, asyncssh.ChannelOpenError) as error:
                    raise SftpOffError(
                        f"{self._target.where} gives no SFTP to {self._target.user}.",
                        detail=str(error),
                    ) from error
                async with sftp:
                    yield sftp
        except (asyncssh.Error, OSError) as error:
            raise using_error(error, self._target) from error

    def _at(self, name: str) -> str:
        return posixpath.join(self._path, name) if name else self._path

    async def _names(self, sftp: asyncssh.SFTPClient, folder: str) -> tuple[str, ...]:
        try:
            found = await sftp.listdir(self._at(folder))
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            return ()
        return tuple(sorted(str(name) for name in found if name not in (".", "..")))

    async def _remove(self, sftp: asyncssh.SFTPClient, name: str) -> None:
        with suppress(asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            await sftp.remove(self._at(name))

    async def _remove_empty(self, sftp: asyncssh.SFTPClient, name: str) -> None:
        _, folders = await self._entries(sftp, name)
        for some in _in_parts(folders):
            await asyncio.gather(*(self._remove_empty(sftp, each) for each in some))
        with suppress(asyncssh.SFTPError):  # not empty: it holds something that is not ours
            await sftp.rmdir(self._at(name))

    async def _has_data(self, sftp: asyncssh.SFTPClient) -> bool:
        # A used repository has an index; only a new one's 256 empty folders are looked through.
        return await self._any_holds(sftp, reversed(DATA_FOLDERS))

    async def _any_holds(self, sftp: asyncssh.SFTPClient, names: Iterable[str]) -> bool:
        """Whether there is a file in any of the folders, or below it."""
        for name in names:
            files, folders = await self._entries(sftp, name)
            if files:
                return True
            # Several at a time: far away each question takes a tenth of a second.
            for some in _in_parts(folders):
                found = await asyncio.gather(*(self._any_holds(sftp, (each,)) for each in some))
                if any(found):
                    return True
        return False

    async def _entries(
        self, sftp: asyncssh.SFTPClient, name: str
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Files and folders in a folder that may not be there, by their place below the path."""
        files: list[str] = []
        folders: list[str] = []
        try:
            async for entry in sftp.scandir(self._at(name)):
                inner = str(entry.filename)
                if inner in (".", ".."):
                    continue
                is_folder = entry.attrs.type == asyncssh.FILEXFER_TYPE_DIRECTORY
                (folders if is_folder else files).append(posixpath.join(name, inner))
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            pass
        return tuple(files), tuple(folders)

    async def _config_digest(self, sftp: asyncssh.SFTPClient) -> str:
        return digest_of(await _read(sftp, self._at("config")))

    async def _insist_on_directory(self, sftp: asyncssh.SFTPClient, path: str) -> None:
        if not await sftp.exists(path):
            raise PathMissingError(
                f"{path} is not there on {self._target.where}.",
                guidance="Make it there, or check it for a typing error. Some servers show "
                "another tree over SFTP than in their own menus.",
            )
        if not await sftp.isdir(path):
            raise PathNotDirectoryError(f"{path} on {self._target.where} is not a directory.")

    async def _try_writing(self, sftp: asyncssh.SFTPClient, place: str) -> None:
        name = posixpath.join(place, f".holdfast-probe-{uuid4().hex}")
        try:
            async with sftp.open(name, "xb") as file:
                await file.write(PROBE)
        except asyncssh.SFTPError as error:
            where = f"{place} on {self._target.where}"
            left = await _free_bytes(sftp, place)
            failed = isinstance(error, asyncssh.SFTPFailure | FULL)
            if failed and left is not None and left < ENOUGH_BYTES:
                # The old protocol has no word for it: its answer is "Failure".
                raise StorageFullError(
                    f"There is no space left at {where}.", detail=str(error)
                ) from error
            raise PathNotWritableError(
                f"{self._target.user} cannot write to {where}.",
                guidance="Check its owner and mode on the server.",
                detail=str(error),
            ) from error
        finally:
            with suppress(asyncssh.Error, OSError):
                await sftp.remove(name)


def _in_parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), AT_ONCE):
        yield names[start : start + AT_ONCE]


async def _read(sftp: asyncssh.SFTPClient, path: str) -> bytes:
    async with sftp.open(path, "rb") as file:
        content: Any = await file.read()  # typed as text, which it is not when opened so
    return bytes(content)


async def _free_bytes(sftp: asyncssh.SFTPClient, path: str) -> int | None:
    """What the server says; None when it has no word for it."""
    try:
        told = await sftp.statvfs(path)
    except asyncssh.SFTPError:
        return None
    return int(told.bavail * told.frsize)
