"""Where a repository is and what opens it."""

import msgspec

from holdfast.kernel.secret import Secret


class S3Access(msgspec.Struct, frozen=True, kw_only=True):
    """Credentials of an S3-compatible store."""

    access_key: Secret
    secret_key: Secret
    region: str = ""
    bucket_lookup: str = "auto"
    """``dns``, ``path`` or ``auto``, which is right for most."""


class SftpAccess(msgspec.Struct, frozen=True, kw_only=True):
    """The program that restic starts to reach an SFTP server, and what it is given."""

    command: tuple[str, ...]
    environment: dict[str, str] = {}
    secrets: dict[str, Secret] = {}
    """Variable to content, which restic's child inherits as restic does."""


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """One restic repository and the secrets that open it.

    ``url`` is restic's: ``/path``, ``s3:http://host:port/bucket/prefix``,
    ``sftp:user@host:/path``, ``rest:http://user:password@host:port/path/``.  Limits are in
    KiB per second, 0 for none, as in restic.
    """

    url: str
    password: Secret
    s3: S3Access | None = None
    sftp: SftpAccess | None = None
    cache_dir: str | None = None
    upload_limit: int = 0
    download_limit: int = 0
    compression: str = ""
    """``off``, ``fastest``, ``better`` or ``max``; empty: restic's own ``auto``."""
    pack_size: int = 0
    """MiB, of the packs that are written; 0: restic's own 16."""
    key_hint: str = ""
    """Id of the key to try first: each other key that is tried costs about 0.4 s."""
    ca_certificates: str = ""
    """PEM: only these are trusted for the server's certificate; empty: the machine's."""
    options: tuple[str, ...] = ()
    """Further ``-o`` options of restic's backends, as ``sftp.args=-i key``."""

    @property
    def names_a_password(self) -> bool:
        """Whether the address itself holds a password, and so is a secret as a whole."""
        _, scheme, rest = self.url.partition("://")
        authority = rest.split("/", 1)[0]
        return bool(scheme) and ":" in authority.rpartition("@")[0]
