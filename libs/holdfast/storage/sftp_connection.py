"""An SSH connection to where a destination is: its host key pinned, every wait bounded.

Only what the destination itself says counts: no ssh_config, agent or known_hosts of this machine.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncssh
from msgspec.structs import replace

from holdfast.kernel.errors import HoldfastError
from holdfast.storage.base import SftpTarget
from holdfast.storage.errors import HostKeyChangedError, HostKeyInvalidError, PrivateKeyError
from holdfast.storage.sftp_errors import connecting_error

CONNECT_SECONDS = 10.0
LOGIN_SECONDS = 20.0
KEEPALIVES = 3

WINDOW = 8 * 1024 * 1024
"""Bytes in flight: a line with 50 ms there and back is filled up to 160 MB/s."""

CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes128-ctr",
)
"""The fastest first, as measured; restic has encrypted what goes through already."""

KEY_KINDS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)
RSA = ("rsa-sha2-256", "rsa-sha2-512", "ssh-rsa")

FINGERPRINT = "SHA256:"

LOOPBACK = "127.0.0.1"


class Pinned(asyncssh.SSHClient):
    """Sees the key that the server shows in place of the pinned one."""

    shown = ""

    def validate_host_public_key(
        self, _host: str, _addr: str, _port: int, key: asyncssh.SSHKey
    ) -> bool:
        """Only asked for a key that is not the pinned one, so never content."""
        self.shown = key.get_fingerprint()
        return False


Tunnel = asyncssh.SSHClientConnection | None
"""What a connection goes through; None: nothing."""


@asynccontextmanager
async def connected(target: SftpTarget) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """A connection that is logged in.

    Raises the StorageError that fits; of a machine on the way there it names that machine.
    """
    async with tunnel_to(target.via) as tunnel, _direct(target, tunnel) as connection:
        yield connection


@asynccontextmanager
async def tunnel_to(via: SftpTarget | None) -> AsyncIterator[Tunnel]:
    """A connection to the last machine on a way, if there is any.  Raises as ``connected``."""
    tunnel: Tunnel = None
    async with AsyncExitStack() as stack:
        for hop in via.way if via else ():
            try:
                tunnel = await stack.enter_async_context(_direct(hop, tunnel))
            except HoldfastError as error:
                error.message = f"Jump host {hop.name}: {error.message}"
                raise
        yield tunnel


@asynccontextmanager
async def reachable(target: SftpTarget) -> AsyncIterator[SftpTarget]:
    """*target* as somebody reaches it who knows no way but the direct one.

    What is behind other machines has a port on this one's loopback while the block lasts.
    """
    if target.via is None:
        yield target
        return
    async with tunnel_to(target.via) as tunnel:
        if tunnel is None:
            raise AssertionError("a way has a machine at its end")
        listener = await tunnel.forward_local_port(LOOPBACK, 0, target.host, target.port)
        try:
            yield replace(target, host=LOOPBACK, port=listener.get_port(), via=None)
        finally:
            listener.close()


@asynccontextmanager
async def _direct(
    target: SftpTarget, tunnel: Tunnel
) -> AsyncIterator[asyncssh.SSHClientConnection]:
    pinned, keys = read_host_key(target.host_key), _client_keys(target)
    client = Pinned()
    try:
        connection, _ = await asyncssh.create_connection(
            lambda: client,
            target.host,
            target.port,
            tunnel=tunnel or (),
            username=target.user,
            password=target.password.reveal() or None,
            client_keys=keys,
            known_hosts=([pinned], [], []),
            server_host_key_algs=_algorithms(pinned.get_algorithm()),
            encryption_algs=CIPHERS,
            compression_algs=None,
            config=[],
            agent_path=None,
            gss_host=None,
            connect_timeout=CONNECT_SECONDS,
            login_timeout=LOGIN_SECONDS,
            keepalive_interval=target.keepalive_seconds,
            keepalive_count_max=KEEPALIVES,
        )
    except asyncssh.HostKeyNotVerifiable as error:
        raise HostKeyChangedError(
            f"{target.where} shows the host key {client.shown}, "
            f"not the pinned {pinned.get_fingerprint()}.",
            detail=str(error),
        ) from error
    except (OSError, asyncssh.Error) as error:
        raise connecting_error(error, target) from error
    try:
        yield connection
    finally:
        connection.close()
        try:
            async with asyncio.timeout(1):
                await connection.wait_closed()
        except TimeoutError:
            connection.abort()


async def host_key_of(host: str, port: int, wanted: str = "", via: SftpTarget | None = None) -> str:
    """The server's host key, as an OpenSSH public key; it is asked through *via*.

    *wanted* may be such a key, which is taken as it is, or a fingerprint: then the server must
    have a key with it.  Empty, its best key is trusted.  Raises HostKeyChangedError when no
    key fits, HostKeyInvalidError, and what a connection raises.
    """
    if wanted and not wanted.startswith(FINGERPRINT):
        return public_line(read_host_key(wanted))
    shown: dict[str, None] = {}
    async with tunnel_to(via) as tunnel:
        for kind in KEY_KINDS:
            key = await _shown_key(host, port, kind, tunnel)
            if not wanted or key.get_fingerprint() == wanted:
                return public_line(key)
            shown[key.get_fingerprint()] = None
    raise HostKeyChangedError(
        f"{host} has the host keys {', '.join(shown)}, and not the given {wanted}."
    )


def read_host_key(text: str) -> asyncssh.SSHKey:
    """An OpenSSH public key.  Raises HostKeyInvalidError."""
    try:
        return asyncssh.import_public_key(text)
    except (asyncssh.KeyImportError, ValueError) as error:
        raise HostKeyInvalidError(detail=str(error)) from error


def public_line(key: asyncssh.SSHKey) -> str:
    """Algorithm and key, without a comment."""
    return " ".join(key.export_public_key().decode().split()[:2])


async def _shown_key(host: str, port: int, kind: str, tunnel: Tunnel) -> asyncssh.SSHKey:
    """The host key of this kind, or if the server has none, its best."""
    target = SftpTarget(host=host, port=port, user="", path="", host_key="")
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            key = await asyncssh.get_server_host_key(
                host,
                port,
                tunnel=tunnel or (),
                server_host_key_algs=_algorithms(kind),
                config=[],
            )
    except (OSError, asyncssh.Error) as error:
        raise connecting_error(error, target) from error
    if key is None:
        raise HostKeyInvalidError(f"{target.where} shows no host key.")
    return key


def _algorithms(kind: str) -> tuple[str, ...]:
    """Signatures to ask for: those of *kind* first, which the server then takes if it can.

    The others too, because a server that has none of what is asked for only hangs up.
    """
    kinds = (kind, *(each for each in KEY_KINDS if each != kind))
    return tuple(name for each in kinds for name in (RSA if each == "ssh-rsa" else (each,)))


def _client_keys(target: SftpTarget) -> list[asyncssh.SSHKey] | None:
    """The private key, opened; None, and not an empty list, keeps the user's own keys out of it.

    Raises PrivateKeyError, without a word of the key in it.
    """
    text = target.private_key.reveal()
    if not text:
        return None
    try:
        return [asyncssh.import_private_key(text, target.passphrase.reveal() or None)]
    except asyncssh.KeyEncryptionError as error:
        raise PrivateKeyError(
            "The passphrase does not open the private key.", guidance="Check the passphrase."
        ) from error
    except (asyncssh.KeyImportError, ValueError) as error:
        if "Passphrase" in str(error):
            raise PrivateKeyError(
                "The private key needs a passphrase.", guidance="Give it as passphrase."
            ) from error
        raise PrivateKeyError from error
