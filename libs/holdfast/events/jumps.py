"""The machines on the way to one that is reached over SSH."""

from uuid import UUID

import msgspec


class SshHost(msgspec.Struct, frozen=True, kw_only=True):
    """A device that is logged in to over SSH, without what opens it."""

    device_id: UUID
    name: str
    host: str
    port: int = 22
    user: str
    host_key: str = ""
    """As for an SFTP destination: pinned, or a fingerprint, or nothing yet."""


class JumpLogin(msgspec.Struct, frozen=True, kw_only=True):
    """What opens a device on the way to another.  Only ever encoded inside a sealed envelope."""

    device_id: UUID
    password: str = ""
    private_key: str = ""
    passphrase: str = ""
