"""Random text: API tokens and repository passwords."""

import base64
import hashlib
import secrets

from holdfast.kernel.secret import Secret

TOKEN_PREFIX = "hf_"  # noqa: S105 - tells people, and scanners for leaked secrets, what it is


def new_token() -> str:
    """An API token of 256 random bits.  It is shown once; store ``token_hash`` of it."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """What is stored of a token.

    A plain SHA-256 will do: nobody guesses 256 random bits, so there is nothing to slow down.
    """
    return hashlib.sha256(token.encode()).digest()


def new_repository_password() -> Secret:
    """A restic password of 32 random bytes, in 52 characters from a-z and 2-7.

    It can be typed from paper: no two of its characters look alike, and none means anything
    to a shell.
    """
    return Secret(base64.b32encode(secrets.token_bytes(32)).decode().rstrip("=").lower())
