"""The file that holds the master key: 32 random bytes, mode 0600, whole or not there."""

import os
from pathlib import Path

from holdfast.kernel.private_file import create_private
from holdfast.secretbox.aead import KEY
from holdfast.secretbox.errors import MasterKeyFileError, MasterKeyFileMissingError


def load_or_create_key_file(path: str | os.PathLike[str]) -> bytes:
    """The key in *path*; a new one, on disk before this returns, if there is no such file.

    Of several processes that start at once the first one's key wins.  A file that is there
    is never replaced.  Raises MasterKeyFileError.
    """
    target = Path(path)
    try:
        return load_key_file(target)
    except MasterKeyFileMissingError:
        pass
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        create_private(target, os.urandom(KEY))
    except OSError as error:
        raise MasterKeyFileError(
            f"The master key's file {target} cannot be made.",
            guidance="Make its directory writable for the user that Holdfast runs as.",
            detail=str(error),
        ) from error
    return load_key_file(target)


def load_key_file(path: str | os.PathLike[str]) -> bytes:
    """The key in *path*.  Raises MasterKeyFileMissingError or MasterKeyFileError."""
    target = Path(path)
    try:
        content = target.read_bytes()
    except FileNotFoundError as error:
        raise MasterKeyFileMissingError(f"There is no master key file {target}.") from error
    except OSError as error:
        raise MasterKeyFileError(
            f"The master key's file {target} cannot be read.",
            guidance="Make it a file that the user that Holdfast runs as may read.",
            detail=str(error),
        ) from error
    if len(content) != KEY:
        raise MasterKeyFileError(
            f"The master key's file {target} has {len(content)} bytes, not {KEY}."
        )
    return content
