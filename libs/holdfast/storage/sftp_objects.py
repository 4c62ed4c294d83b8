"""The objects of a repository in a directory of another machine."""

import asyncio
import posixpath
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncssh

from holdfast.storage.base import SftpTarget
from holdfast.storage.objects import (
    ABANDONED_SECONDS,
    CHUNK,
    INCOMING,
    NAME,
    SET_ASIDE,
    ObjectInfo,
    ObjectMissingError,
    checked_path,
    name_in,
)
from holdfast.storage.sftp_calls import AT_ONCE, replace, sync

MISSING = asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath

PRIVATE = asyncssh.SFTPAttrs(permissions=0o700)


class SftpObjects:
    """All through one session, which lives as long as the block that opened it."""

    def __init__(self, target: SftpTarget, sftp: asyncssh.SFTPClient) -> None:
        self._root = target.path
        self._sftp = sftp

    async def names(self, folder: str) -> Mapping[str, ObjectInfo]:
        found, folders = await self._listed(posixpath.join(self._root, folder))
        for start in range(0, len(folders), AT_ONCE):
            some = folders[start : start + AT_ONCE]
            for inner, _ in await asyncio.gather(*(self._listed(each) for each in some)):
                found |= inner
        named = {name_in(path): info for path, info in found.items()}
        return {name: info for name, info in named.items() if NAME.fullmatch(name)}

    async def size(self, path: str) -> int | None:
        try:
            return (await self._sftp.stat(self._at(path))).size
        except MISSING:
            return None

    async def read(self, path: str) -> AsyncIterator[bytes]:
        try:
            file = await self._sftp.open(self._at(path), "rb")
        except MISSING as error:
            raise ObjectMissingError(f"{path} is not there.") from error
        async with file:
            # Typed as text, which it is not when opened so.
            while chunk := _bytes(await file.read(CHUNK)):
                yield chunk

    @asynccontextmanager
    async def receive(self, path: str) -> AsyncIterator["SftpIncoming"]:
        target, folder = self._at(path), posixpath.join(self._root, INCOMING)
        for each in (folder, posixpath.dirname(target)):
            await self._sftp.makedirs(each, PRIVATE, exist_ok=True)
        await self._sweep(folder)
        part = posixpath.join(folder, uuid4().hex)
        try:
            async with self._sftp.open(part, "xb") as file:
                yield SftpIncoming(self._sftp, file, part, target)
        finally:
            with suppress(asyncssh.Error, OSError):
                await self._sftp.remove(part)
            with suppress(asyncssh.Error, OSError):
                await self._sftp.rmdir(folder)  # unless others are at it

    async def delete(self, path: str) -> None:
        with suppress(*MISSING):
            await self._sftp.remove(self._at(path))

    async def set_aside(self, path: str) -> None:
        await self._move(self._at(path), self._aside(path))

    async def aside(self) -> tuple[str, ...]:
        folder = posixpath.join(self._root, SET_ASIDE)
        waiting, found = [folder], []
        while waiting:
            files, folders = await self._listed(waiting.pop())
            found += [posixpath.relpath(each, folder) for each in files]
            waiting += folders
        return tuple(sorted(found))

    async def put_back(self, path: str) -> None:
        await self._move(self._aside(path), self._at(path))

    async def _move(self, source: str, target: str) -> None:
        if not await self._sftp.exists(source):
            return
        await self._sftp.makedirs(posixpath.dirname(target), PRIVATE, exist_ok=True)
        with suppress(*MISSING):
            await replace(self._sftp, source, target)

    async def _sweep(self, folder: str) -> None:
        """Remove what was left by the dead."""
        for path, info in (await self._listed(folder))[0].items():
            if time.time() - info.modified_at.timestamp() > ABANDONED_SECONDS:
                with suppress(*MISSING):
                    await self._sftp.remove(path)

    async def _listed(self, folder: str) -> tuple[dict[str, ObjectInfo], Sequence[str]]:
        """Files and folders, by their whole paths; of a folder that is not there: none."""
        files: dict[str, ObjectInfo] = {}
        folders: list[str] = []
        with suppress(*MISSING):
            async for entry in self._sftp.scandir(folder):
                name = str(entry.filename)
                if name in (".", ".."):
                    continue
                path = posixpath.join(folder, name)
                if entry.attrs.type == asyncssh.FILEXFER_TYPE_DIRECTORY:
                    folders.append(path)
                    continue
                written = datetime.fromtimestamp(entry.attrs.mtime or 0, UTC)
                files[path] = ObjectInfo(size=entry.attrs.size or 0, modified_at=written)
        return files, folders

    def _at(self, path: str) -> str:
        return posixpath.join(self._root, checked_path(path))

    def _aside(self, path: str) -> str:
        return posixpath.join(self._root, SET_ASIDE, checked_path(path))


class SftpIncoming:
    """A file under another name until it is whole and, where the server can tell, on its disk."""

    def __init__(self, sftp: asyncssh.SFTPClient, file: Any, part: str, path: str) -> None:
        self._sftp = sftp
        self._file = file
        self._part = part
        self._path = path

    async def write(self, chunk: bytes) -> None:
        await self._file.write(chunk)

    async def commit(self) -> None:
        await sync(self._file)
        await self._file.close()
        await self._sftp.chmod(self._part, 0o400)
        await replace(self._sftp, self._part, self._path)


def _bytes(content: Any) -> bytes:
    return bytes(content)
