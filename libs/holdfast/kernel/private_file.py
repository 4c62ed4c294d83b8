"""Files that only we may read, and that are there whole or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


def create_private(path: Path, content: bytes) -> None:
    """Write *path*, mode 0600, unless it is there: the first of several writers wins.

    It is on the disk when this returns, its name too.  Raises OSError.
    """
    # A link never replaces, as a rename would: when another was first, its file stays.
    with _beside(path, content) as name, contextlib.suppress(FileExistsError):
        os.link(name, path)
    sync_directory(path.parent)


def replace_private(path: Path, content: bytes) -> None:
    """Write *path*, mode 0600, in place of what is there.  Raises OSError."""
    with _beside(path, content) as name:
        os.replace(name, path)
    sync_directory(path.parent)


@contextlib.contextmanager
def _beside(path: Path, content: bytes) -> Iterator[str]:
    """The name of a written file in the same directory; it does not stay."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield name
    finally:
        with contextlib.suppress(FileNotFoundError):  # it was moved into place
            os.unlink(name)


def sync_directory(directory: Path) -> None:
    """Make a new or removed name in it outlive a power cut.  Raises OSError."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
