"""What a tree is, to the byte: for saying whether a restored one is the same."""

import hashlib
import os
import stat
from pathlib import Path

import msgspec


class Entry(msgspec.Struct, frozen=True):
    """Everything about one file, directory or link that a restore must bring back."""

    kind: str
    mode: int
    owner: tuple[int, int]
    modified_ns: int
    size: int
    content: str
    """SHA-256 of a file; the target of a link."""
    twin: str = ""
    """The first path of the same inode, for a hard link."""


def manifest(root: Path) -> dict[str, Entry]:
    """Every entry below *root*, and *root* itself, by relative path.

    A symbolic link is never followed.  Sockets are left out, as restic leaves them.
    """
    entries: dict[str, Entry] = {}
    seen: dict[tuple[int, int], str] = {}
    pending = [""]
    while pending:
        name = pending.pop()
        path = root / name if name else root
        info = os.lstat(path)
        if stat.S_ISSOCK(info.st_mode):
            continue
        twin = ""
        if stat.S_ISREG(info.st_mode) and info.st_nlink > 1:
            twin = seen.setdefault((info.st_dev, info.st_ino), name)
        entries[name] = Entry(
            kind=_kind(info.st_mode),
            mode=stat.S_IMODE(info.st_mode),
            owner=(info.st_uid, info.st_gid),
            modified_ns=info.st_mtime_ns,
            size=info.st_size if stat.S_ISREG(info.st_mode) else 0,
            content=_content(path, info.st_mode),
            twin=twin,
        )
        if stat.S_ISDIR(info.st_mode):
            # Sorted backwards, for they are taken from the end: twins get the same first path.
            names = sorted(os.listdir(path), reverse=True)
            pending.extend(os.path.join(name, child) for child in names)
    return entries


def differences(before: dict[str, Entry], after: dict[str, Entry]) -> list[str]:
    """What is not as it was, a line each."""
    lines = [f"missing: {name}" for name in sorted(before.keys() - after.keys())]
    lines += [f"not there before: {name}" for name in sorted(after.keys() - before.keys())]
    for name in sorted(before.keys() & after.keys()):
        was, now = before[name], after[name]
        changed = [
            field for field in was.__struct_fields__ if getattr(was, field) != getattr(now, field)
        ]
        if changed:
            lines.append(f"{', '.join(changed)} differ: {name or '.'}")
    return lines


def _kind(mode: int) -> str:
    for test, name in (
        (stat.S_ISDIR, "directory"),
        (stat.S_ISLNK, "link"),
        (stat.S_ISREG, "file"),
    ):
        if test(mode):
            return name
    return "special"


def _content(path: Path, mode: int) -> str:
    if stat.S_ISLNK(mode):
        return os.readlink(path)
    if stat.S_ISREG(mode):
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return ""
