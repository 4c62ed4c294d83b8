"""Target to backend."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from holdfast.storage.base import Backend, LocalTarget, S3Target, SftpTarget, Target
from holdfast.storage.local import LocalBackend
from holdfast.storage.local_objects import LocalObjects
from holdfast.storage.objects import Objects
from holdfast.storage.s3 import S3Backend
from holdfast.storage.s3_objects import S3Objects


def open_backend(target: Target) -> Backend:
    """The backend for a target; nothing is connected to yet."""
    match target:
        case S3Target():
            return S3Backend(target)
        case LocalTarget():
            return LocalBackend(target)
        case SftpTarget():
            # Loading asyncssh takes 0.2 s: only who meets such a destination does it.
            from holdfast.storage.sftp import SftpBackend

            return SftpBackend(target)


async def host_key_of(host: str, port: int, wanted: str, via: SftpTarget | None = None) -> str:
    """The SFTP server's host key, as it is to be pinned: see ``sftp_connection.host_key_of``."""
    from holdfast.storage import sftp_connection

    return await sftp_connection.host_key_of(host, port, wanted, via)


@asynccontextmanager
async def reachable(target: Target) -> AsyncIterator[Target]:
    """*target* for a program that logs in by itself: see ``sftp_connection.reachable``."""
    if not isinstance(target, SftpTarget) or target.via is None:
        yield target
        return
    from holdfast.storage import sftp_connection

    async with sftp_connection.reachable(target) as near:
        yield near


def open_objects(target: Target) -> AbstractAsyncContextManager[Objects]:
    """The objects of a repository, as long as the block lasts."""
    match target:
        case S3Target():
            return _bucket(target)
        case LocalTarget():
            return nullcontext(LocalObjects(target))
        case SftpTarget():
            return _session(target)


@asynccontextmanager
async def _bucket(target: S3Target) -> AsyncIterator[Objects]:
    async with S3Backend(target).connect() as client:
        yield S3Objects(target, client)


@asynccontextmanager
async def _session(target: SftpTarget) -> AsyncIterator[Objects]:
    from holdfast.storage.sftp import SftpBackend  # as above
    from holdfast.storage.sftp_objects import SftpObjects

    async with SftpBackend(target).connect() as sftp:
        yield SftpObjects(target, sftp)
