"""A snapshot's files, cut into folders that are known by their content.  Pure.

restic tells each folder before what is in it.  So only the folders above the file that is read
are open at a time; one that is complete is handed over, and goes from memory.
"""

import posixpath
import zlib
from collections.abc import Iterator
from hashlib import blake2b

import msgspec

from holdfast.events.listing import PAGE_ENTRIES, Entry, FolderPage, Root
from holdfast.restic.commands.ls import Node

FOLDER = "dir"
ID_BYTES = 20

_encode = msgspec.msgpack.Encoder().encode


class _Open:
    """A folder of which not all is read yet."""

    def __init__(self, path: str, node: Node | None) -> None:
        self.path = path
        self.node = node
        self.entries: list[Entry] = []


class Folders:
    """Takes nodes in and gives folders out: what is in a folder always before it."""

    def __init__(self) -> None:
        self._open = [_Open("/", None)]
        self._folders = 0

    def add(self, node: Node) -> Iterator[tuple[FolderPage, ...]]:
        """The folders that are complete when *node* comes, each as its pages."""
        parent = posixpath.dirname(node.path)
        # Two names that cannot be told may look the same: the open folder of the same path as
        # the node's own is another one.
        while len(self._open) > 1 and self._open[-1].path != parent:
            yield self._close()
        if node.type == FOLDER:
            self._open.append(_Open(node.path, node))
        else:
            self._open[-1].entries.append(_entry(node))

    def finish(self) -> Iterator[tuple[FolderPage, ...]]:
        """The rest, the root last."""
        while len(self._open) > 1:
            yield self._close()
        yield _pages(self._open[0].entries)

    def root(self, folder: bytes) -> Root:
        """The root that *folder* is the id of, when ``finish`` is through."""
        entries = self._open[0].entries
        return Root(
            folder=folder,
            files=_files(entries),
            folders=self._folders,
            size=sum(each.size for each in entries),
        )

    def _close(self) -> tuple[FolderPage, ...]:
        done = self._open.pop()
        self._folders += 1
        pages = _pages(done.entries)
        if done.node is not None:
            entry = _entry(done.node)
            self._open[-1].entries.append(
                msgspec.structs.replace(
                    entry,
                    size=sum(each.size for each in done.entries),
                    files=_files(done.entries),
                    folder=pages[0].folder,
                )
            )
        return pages


def _files(entries: list[Entry]) -> int:
    return sum(each.files if each.type == FOLDER else 1 for each in entries)


def _entry(node: Node) -> Entry:
    return Entry(
        name=node.name,
        type=node.type,
        size=node.size,
        permissions=node.permissions,
        uid=node.uid,
        gid=node.gid,
        mtime=node.mtime,
    )


def _pages(entries: list[Entry]) -> tuple[FolderPage, ...]:
    """An empty folder has one page as well."""
    entries.sort(key=lambda each: each.key)
    parts = [
        entries[start : start + PAGE_ENTRIES]
        for start in range(0, max(len(entries), 1), PAGE_ENTRIES)
    ]
    encoded = [_encode(part) for part in parts]
    digest = blake2b(digest_size=ID_BYTES)
    for each in encoded:
        digest.update(each)
    id = digest.digest()
    return tuple(
        FolderPage(
            folder=id,
            page=number,
            first_key=part[0].key if part else "",
            entries=zlib.compress(content),
            folders=tuple(each.folder for each in part if each.type == FOLDER),
        )
        for number, (part, content) in enumerate(zip(parts, encoded, strict=True))
    )
