"""What SFTP has no single call for, or not on every server."""

from contextlib import suppress
from typing import Any

import asyncssh

AT_ONCE = 32
"""Folders that are looked into at the same time."""


async def sync(file: Any) -> None:
    """Have the server write it to its disk, if it knows how."""
    with suppress(asyncssh.SFTPOpUnsupported):
        await file.fsync()


async def replace(sftp: asyncssh.SFTPClient, source: str, target: str) -> None:
    """Move a file, over another one too: at once where the server can, else in two steps.

    In two steps a death in between leaves nothing at *target*, and *source* where it was.
    """
    try:
        await sftp.posix_rename(source, target)
    except asyncssh.SFTPOpUnsupported:
        with suppress(asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            await sftp.remove(target)
        await sftp.rename(source, target)
