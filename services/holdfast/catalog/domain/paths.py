"""Paths on a device, as people write them."""

import posixpath
from collections.abc import Iterable

from holdfast.catalog.domain.text import checked_text
from holdfast.kernel.errors import InvalidRequestError

KERNEL_TREES = ("/proc", "/sys", "/dev")
"""Not files: the kernel's own views, endless to read and useless to bring back."""

MOST_PATHS = 1000


def absolute_path(value: str, field: str) -> str:
    """*value* without doubled slashes, single dots or a slash at the end.

    ``..`` is refused, not resolved: what it means depends on symbolic links of the device.
    Raises InvalidRequestError that names *field*.
    """
    path = checked_text(value, field)
    if not path.startswith("/"):
        raise InvalidRequestError(
            f"{field}: {value!r} is not an absolute path.", guidance="Start it with '/'."
        )
    if ".." in path.split("/"):
        raise InvalidRequestError(
            f"{field}: {value!r} has '..' in it.", guidance="Write the path that is meant."
        )
    path = "/" + posixpath.normpath(path).lstrip("/")
    for tree in KERNEL_TREES:
        if path == tree or path.startswith(tree + "/"):
            raise InvalidRequestError(
                f"{field}: {path} belongs to the kernel and holds no files to back up or keep."
            )
    return path


def data_paths(values: Iterable[str], field: str) -> tuple[str, ...]:
    """Paths to back up: absolute, each once, in the order given.

    The root alone is refused: it would take in the kernel's trees and other people's mounts.
    """
    paths = tuple(dict.fromkeys(absolute_path(value, field) for value in values))
    if "/" in paths:
        raise InvalidRequestError(
            f"{field}: '/' is everything, the kernel's own trees included.",
            guidance="Name the directories below it, such as /etc, /home and /srv.",
        )
    return _few_enough(paths, field)


def exclude_patterns(values: Iterable[str], field: str) -> tuple[str, ...]:
    """restic's exclude patterns, each once; empty ones and line breaks are refused."""
    patterns = tuple(dict.fromkeys(checked_text(value, field) for value in values))
    for pattern in patterns:
        if not pattern.strip():
            raise InvalidRequestError(f"{field}: a pattern is empty.")
        if "\n" in pattern or "\r" in pattern:
            raise InvalidRequestError(f"{field}: {pattern!r} has a line break in it.")
    return _few_enough(patterns, field)


def _few_enough(values: tuple[str, ...], field: str) -> tuple[str, ...]:
    if len(values) > MOST_PATHS:
        raise InvalidRequestError(f"{field}: {len(values)} entries; {MOST_PATHS} is the most.")
    return values
