"""What every kind of storage can tell of a destination."""

import base64
import hashlib
import re
from typing import Protocol

import msgspec

from holdfast.kernel.secret import Secret

INITIALISATION = ("config", "keys")
"""What ``restic init`` writes.  All else of a repository is data."""

DATA_FOLDERS = ("data", "index", "snapshots")

REPOSITORY_PARTS = frozenset((*INITIALISATION, *DATA_FOLDERS, "locks"))


LOCK_NAME = re.compile(r"[0-9a-f]{64}")


def digest_of(config: bytes) -> str:
    """A repository's mark: restic never changes its config, and no two are alike."""
    return hashlib.sha256(config).hexdigest()


def fingerprint_of(host_key: str) -> str:
    """``SHA256:…`` of an OpenSSH public key, as SSH programs show it; "" of nothing."""
    if not host_key:
        return ""
    digest = hashlib.sha256(base64.b64decode(host_key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def checked_lock(name: str) -> str:
    """*name*, if a lock can have it.  Raises ValueError."""
    if not LOCK_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no lock's name")
    return name


class S3Target(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket, and the prefix in it."""

    endpoint: str
    bucket: str
    region: str
    access_key: Secret
    secret_key: Secret
    prefix: str = ""
    virtual_host: bool | None = None
    """Whether the bucket is part of the host's name; None: as the provider is known to want it."""
    ca_certificate: str = ""
    """PEM: only this is trusted; empty: what the machine trusts."""


class LocalTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A directory of this machine.

    *parent* is what the person named; *path* is the repository's own directory below it.
    """

    path: str
    parent: str = ""


class SftpTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A directory of another machine, reached over SSH.

    *path* and *parent* are as for a local one; without a slash in front they are below the
    user's home.  The server must show *host_key*, an OpenSSH public key.
    """

    host: str
    port: int = 22
    user: str
    path: str
    parent: str = ""
    host_key: str
    password: Secret = Secret("")
    private_key: Secret = Secret("")
    """In OpenSSH's or PEM form, whole."""
    passphrase: Secret = Secret("")
    """Opens the private key; empty when that is not encrypted."""
    keepalive_seconds: float = 10.0
    """So often it is asked whether it lives; three questions without an answer: it does not."""
    name: str = ""
    """What a person calls a machine on the way to another."""
    via: "SftpTarget | None" = None
    """The machine through which it is reached; None: directly."""

    @property
    def where(self) -> str:
        """The server, as a person names it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 22 else f"{host}:{self.port}"

    @property
    def way(self) -> "tuple[SftpTarget, ...]":
        """The machines that are logged in to, one after the other; this one is the last."""
        return (*(self.via.way if self.via else ()), self)


Target = S3Target | LocalTarget | SftpTarget


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What is at a destination that can be reached."""

    has_config: bool
    """A repository is there."""
    has_parts: bool
    """Something of a repository is there: keys, data, an index."""
    has_data: bool
    """Something that only a used repository has."""
    config_digest: str = ""
    """SHA-256 of the repository's config as it lies there, by which it is known again."""
    free_bytes: int | None = None
    """Space that is left; None where nobody says."""

    @property
    def is_debris(self) -> bool:
        """Parts without the config that makes them a repository."""
        return self.has_parts and not self.has_config


class Backend(Protocol):
    """One destination's storage."""

    @property
    def repository_url(self) -> str:
        """The address as restic takes it."""

    @property
    def place(self) -> str:
        """The address as a person names it."""

    async def probe(self, *, write: bool) -> Found:
        """Reach it and see what is there.

        With *write*, a small object is written and deleted again, so that what may
        not be written is known now.  Raises a StorageError that says what is wrong.
        """

    async def prepare(self) -> None:
        """Make the place for a new repository (a local directory)."""

    async def remove_initialisation(self) -> None:
        """Undo an initialisation that failed half way.

        Deletes the config and keys only.  Raises NotJustInitialisedError, and deletes
        nothing, when there is any data.
        """

    async def list_keys(self) -> tuple[str, ...]:
        """The names of the repository's key files."""

    async def read_key(self, name: str) -> bytes:
        """One key file, whole."""

    async def write_key(self, name: str, content: bytes) -> None:
        """Add a key file; it appears whole or not at all."""

    async def delete_key(self, name: str) -> None:
        """Remove a key file."""

    async def list_locks(self) -> tuple[str, ...]:
        """The names of restic's locks."""

    async def delete_lock(self, name: str) -> None:
        """Remove one of restic's locks; nothing else can be removed by it.

        The caller has proved that its holder is dead.  A lock's name is never used again,
        so this cannot hit a newer one.  Raises ValueError for what is no lock's name.
        """
