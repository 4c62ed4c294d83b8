"""Target to backend."""

from holdfast.storage.base import Backend, LocalTarget, S3Target, SftpTarget, Target
from holdfast.storage.local import LocalBackend
from holdfast.storage.s3 import S3Backend


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


async def host_key_of(host: str, port: int, wanted: str) -> str:
    """The SFTP server's host key, as it is to be pinned: see ``sftp_connection.host_key_of``."""
    from holdfast.storage import sftp_connection

    return await sftp_connection.host_key_of(host, port, wanted)
