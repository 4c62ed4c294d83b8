"""From what asyncssh raises to what a person can act on."""

import socket

import asyncssh

from holdfast.storage.base import SftpTarget
from holdfast.storage.errors import (
    BadCredentialsError,
    ConnectionLostError,
    EndpointRefusedError,
    EndpointTimeoutError,
    HostKeyChangedError,
    HostNotFoundError,
    JumpRefusedError,
    NotSshError,
    PathMissingError,
    PathNotWritableError,
    SftpOffError,
    StorageError,
    StorageFullError,
)

FULL = asyncssh.SFTPNoSpaceOnFilesystem | asyncssh.SFTPQuotaExceeded
PROHIBITED, NOT_REACHED = asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, asyncssh.OPEN_CONNECT_FAILED
LOST = asyncssh.SFTPConnectionLost | asyncssh.SFTPNoConnection


def connecting_error(error: BaseException, target: SftpTarget) -> StorageError:
    """What kept us from connecting and logging in."""
    where, detail = target.where, str(error)
    match error:
        case StorageError():
            return error
        case socket.gaierror():
            return HostNotFoundError(f"The host {target.host} is not known.", detail=detail)
        case ConnectionRefusedError():
            return EndpointRefusedError(f"{where} refuses the connection.", detail=detail)
        case TimeoutError():
            return EndpointTimeoutError(f"{where} does not answer.", detail=detail)
        case asyncssh.PermissionDenied():
            return _denied(target, detail)
        case asyncssh.HostKeyNotVerifiable():
            return HostKeyChangedError(detail=detail)
        case asyncssh.ProtocolError() | asyncssh.ProtocolNotSupported():
            return NotSshError(f"{where} does not speak SSH.", detail=detail)
        case asyncssh.ConnectionLost() | ConnectionResetError():
            return ConnectionLostError(f"{where} breaks the connection off.", detail=detail)
        case asyncssh.ChannelOpenError() if target.via and error.code == PROHIBITED:
            return JumpRefusedError(
                f"Jump host {target.via.name} passes no connection on to {where}.", detail=detail
            )
        case asyncssh.ChannelOpenError() if target.via and error.code == NOT_REACHED:
            return EndpointTimeoutError(
                f"Jump host {target.via.name} cannot reach {where}.", detail=detail
            )
        case asyncssh.ChannelOpenError():
            return SftpOffError(f"{where} gives no SFTP to {target.user}.", detail=detail)
        case OSError():
            return EndpointTimeoutError(f"{where} cannot be reached.", detail=detail)
    return StorageError(f"{where} cannot be used.", detail=f"{type(error).__name__}: {detail}")


def using_error(error: BaseException, target: SftpTarget) -> StorageError:
    """What went wrong with a file after the session was open."""
    detail = f"{type(error).__name__}: {error}"
    match error:
        case StorageError():
            return error
        case asyncssh.SFTPError() if isinstance(error, FULL):
            return StorageFullError(
                f"There is no space left at {target.path} on {target.where}.", detail=detail
            )
        case asyncssh.SFTPError() if isinstance(error, LOST):
            return ConnectionLostError(f"{target.where} broke the connection off.", detail=detail)
        case asyncssh.SFTPPermissionDenied() | asyncssh.SFTPWriteProtect():
            return PathNotWritableError(
                f"{target.user} may not write to {target.path} on {target.where}.", detail=detail
            )
        case asyncssh.SFTPNoSuchFile() | asyncssh.SFTPNoSuchPath():
            return PathMissingError(
                f"Something of {target.path} on {target.where} is not there.", detail=detail
            )
        case asyncssh.SFTPError():
            return StorageError(
                f"{target.where} refuses what a backup at {target.path} needs.", detail=detail
            )
        case TimeoutError():
            return EndpointTimeoutError(f"{target.where} does not answer any more.", detail=detail)
    return connecting_error(error, target)


def _denied(target: SftpTarget, detail: str) -> StorageError:
    what = "private key" if target.private_key.reveal() else "password"
    return BadCredentialsError(
        f"{target.where} does not let {target.user} in with this {what}.",
        guidance="Check the user and the password."
        if what == "password"
        else "Put the key's public half into the user's authorized_keys on the server, "
        "or check the user.",
        detail=detail,
    )
