"""The objects of a repository, one by one, without restic and without any password.

All but the config are named by the SHA-256 of their content and never change.  So one can
be checked where it lies, and brought over from another repository with the same master
key, by anyone who can read and write bytes.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

import msgspec

from holdfast.storage.errors import StorageError

CHUNK = 4 * 1024 * 1024
"""Bytes that are read or written in one go."""

SET_ASIDE = "holdfast-set-aside"
"""Where a damaged object waits, outside of what restic looks at."""

INCOMING = "holdfast-incoming"
"""Where files are written before they are whole: on the same disk, out of restic's sight."""

ABANDONED_SECONDS = 86_400
"""A file there that nobody wrote to for so long was left by somebody who died."""

NAME = re.compile(r"[0-9a-f]{64}")

_PATH = re.compile(r"config|(keys|index|snapshots)/[0-9a-f]{64}|data/([0-9a-f]{2})/\2[0-9a-f]{62}")


class ObjectMissingError(StorageError):
    """The object is not there."""

    code = "object_missing"
    guidance = "Heal the destination from another one that has it."


class ObjectDamagedError(StorageError):
    """The object's content is not what its name says."""

    code = "object_damaged"
    guidance = "Heal the destination that it was read from."


class ObjectInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An object in a listing."""

    size: int
    modified_at: datetime
    """By the storage's own clock."""


class Incoming(Protocol):
    """An object that is being written; nobody sees it before ``commit``."""

    async def write(self, chunk: bytes) -> None:
        """Add to its end."""

    async def commit(self) -> None:
        """Let it appear, whole, in the place of what was there before; it is on disk then."""


class Objects(Protocol):
    """The objects of one repository; paths are restic's, below the repository's own folder."""

    async def names(self, folder: str) -> Mapping[str, ObjectInfo]:
        """What is in ``data``, ``index``, ``snapshots`` or ``keys``, by name."""

    async def size(self, path: str) -> int | None:
        """The object's bytes; None when it is not there."""

    def read(self, path: str) -> AsyncIterator[bytes]:
        """Its content in chunks.  Raises ObjectMissingError."""

    def receive(self, path: str) -> AbstractAsyncContextManager[Incoming]:
        """Write one.  Left without ``commit``, nothing of it stays."""

    async def delete(self, path: str) -> None:
        """Remove it; no error when it is gone."""

    async def set_aside(self, path: str) -> None:
        """Move it out of the repository; the bytes are kept in ``SET_ASIDE``."""

    async def aside(self) -> tuple[str, ...]:
        """The paths of what was set aside."""

    async def put_back(self, path: str) -> None:
        """Undo ``set_aside``.  Nothing happens when nothing was."""


def path_of(folder: str, name: str) -> str:
    """Where restic keeps the object of that name.  Raises ValueError for what cannot be one."""
    return checked_path(f"data/{name[:2]}/{name}" if folder == "data" else f"{folder}/{name}")


def checked_path(path: str) -> str:
    """*path*, if an object can be there.  Raises ValueError."""
    if not _PATH.fullmatch(path):
        raise ValueError(f"{path!r} is no object of a repository")
    return path


def name_in(path: str) -> str:
    """The last part of a path."""
    return path.rpartition("/")[2]


async def whole(objects: Objects, path: str) -> bytes:
    """A small object.  Raises ObjectMissingError."""
    return b"".join([chunk async for chunk in objects.read(path)])


async def put(objects: Objects, path: str, content: bytes) -> None:
    """Write a small object."""
    async with objects.receive(path) as incoming:
        await incoming.write(content)
        await incoming.commit()


async def is_sound(objects: Objects, path: str) -> bool:
    """Whether the content is what the name says; False when it is not there."""
    digest = hashlib.sha256()
    try:
        async for chunk in objects.read(path):
            await asyncio.to_thread(digest.update, chunk)
    except ObjectMissingError:
        return False
    return digest.hexdigest() == name_in(path)


async def transfer(source: Objects, target: Objects, path: str) -> int:
    """Bring an object over; its bytes.

    It appears only when its SHA-256 is its name: what was read wrong, or breaks off, never
    takes the place of anything.  Raises ObjectMissingError and ObjectDamagedError.
    """
    digest, size = hashlib.sha256(), 0
    async with target.receive(path) as incoming:
        async for chunk in source.read(path):
            # Off the loop: a second for each gigabyte.
            await asyncio.to_thread(digest.update, chunk)
            await incoming.write(chunk)
            size += len(chunk)
        if digest.hexdigest() != name_in(path):
            raise ObjectDamagedError(f"{path} is damaged where it is to be copied from.")
        await incoming.commit()
    return size
