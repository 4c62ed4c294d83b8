"""The files of a snapshot, as people see them."""

from datetime import datetime

from holdfast.events.views.base import Page, View


class FileView(View, frozen=True, kw_only=True):
    """A file or folder in a snapshot."""

    name: str
    """A byte that is not UTF-8 is U+FFFD."""
    path: str
    """As a restore takes it in ``files``."""
    type: str
    """``file``, ``dir``, ``symlink``, ``dev``, ``chardev``, ``fifo``, ``socket``."""
    size: int
    """Bytes; of a folder, of all files below it."""
    permissions: str
    uid: int
    gid: int
    mtime: datetime | None
    files: int = 0
    """Of a folder: how many are below it that are no folders."""


class FilePage(Page, frozen=True, kw_only=True):
    """What is in a folder: folders first, then by name."""

    path: str
    files: tuple[FileView, ...]
    total_files: int
    """In the whole snapshot, folders not counted."""
    total_size: int
