"""Where a machine is that is reached over SSH, and what it must show."""

import re

from holdfast.catalog.domain.text import checked_text
from holdfast.kernel.errors import InvalidRequestError

LONGEST_KEY = 16 * 1024
"""Bytes of a private key."""

_HOST = re.compile(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?|[0-9a-f:.]*:[0-9a-f:.]+(%[a-z0-9_.-]+)?")
_HOST_KEY = re.compile(r"[a-z0-9@.-]+ AAAA[A-Za-z0-9+/]{30,}={0,2}|SHA256:[A-Za-z0-9+/]{43}")


def checked_host(value: str) -> str:
    """A name or an address, spelled one way.  Raises InvalidRequestError."""
    host = checked_text(value, "host").strip().lower().strip("[]")
    if not _HOST.fullmatch(host):
        raise InvalidRequestError(
            f"host: {value!r} is not the name or address of a machine.",
            guidance="Write it without sftp:// or ssh:// and without a path, as in nas.lan.",
        )
    return host


def checked_port(value: int) -> int:
    """Raises InvalidRequestError."""
    if not 0 < value < 65_536:
        raise InvalidRequestError(f"port: {value} is not from 1 to 65535.")
    return value


def checked_host_key(value: str) -> str:
    """A public key without its comment, a fingerprint, or nothing.  Raises InvalidRequestError."""
    text = " ".join(checked_text(value, "host_key").split()[:2])
    if text and not _HOST_KEY.fullmatch(text):
        raise InvalidRequestError(
            f"host_key: {value!r} is neither a public key nor its fingerprint.",
            guidance="Write 'ssh-ed25519 AAAA…' as in known_hosts (without the host), or "
            "'SHA256:…' as ssh-keygen -l shows it.",
        )
    return text
