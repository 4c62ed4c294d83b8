"""Which files a snapshot has, as they are kept for browsing: folders known by their content.

A folder's id is made of all that is below it, so that a folder that did not change is the same
one in every snapshot, and is kept once.
"""

from datetime import datetime

import msgspec

PAGE_ENTRIES = 1000
"""So many of a folder's entries are in one page, except in the last."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A file or folder, in its folder."""

    name: str
    """A byte that is not UTF-8 is U+FFFD."""
    type: str
    """file, dir, symlink, dev, chardev, fifo, socket or irregular."""
    size: int
    """Bytes; of a folder, of all files below it."""
    permissions: str
    uid: int
    gid: int
    mtime: datetime | None
    files: int = 0
    """Of a folder: how many are below it that are no folders."""
    folder: bytes = b""
    """Of a folder: its id."""

    @property
    def key(self) -> str:
        """By which entries are in order: folders first, then by name."""
        return key_of(self.name, is_folder=self.type == "dir")


def key_of(name: str, *, is_folder: bool) -> str:
    """The key of an entry of that name."""
    return ("0" if is_folder else "1") + name


class FolderPage(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a folder's entries."""

    folder: bytes
    page: int
    """From 0."""
    first_key: str
    entries: bytes
    """MessagePack of ``tuple[Entry, ...]``, compressed by zlib."""
    folders: tuple[bytes, ...] = ()
    """The ids of those of the entries that are folders."""


class KnownFolder(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that may be kept already."""

    id: bytes
    last_page: int


class Root(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot's root, and what is below it."""

    folder: bytes
    files: int
    """All that are no folders."""
    folders: int
    size: int
    """Bytes of all files."""
