"""The key files of a restic repository: open one, and wrap its master key again, cheaply.

restic stretches a password with scrypt for about 0.4 s each time it opens a repository.
That protects a password a person can remember.  One of 256 random bits cannot be guessed
at any speed, so its key file may name the cheapest parameters, and a repository opens in
a fiftieth of the time.

The format is restic's: scrypt makes the user key; AES-256-CTR and Poly1305-AES under it
seal a JSON document with the master key; the file's name is the SHA-256 of its content.
"""

import hashlib
import os
from datetime import datetime

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.poly1305 import Poly1305

from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.secret import Secret

NONCE = 16
MAC = 16
CHEAP = (2, 1, 1)
"""The least scrypt parameters (N, r, p) that restic takes."""
MAX_MEMORY = 1 << 30
"""Bytes that a key file may make scrypt use here; restic's own choice is 32 MiB."""
MACHINE_MADE = 43
"""Characters of 32 random bytes in base64, the shorter of the usual spellings."""


class KeyFileError(HoldfastError):
    """This is not a key file of a restic repository."""

    code = "restic_key_file"


class KeyPasswordError(HoldfastError):
    """The password does not open this key."""

    code = "restic_key_password"


class GuessablePasswordError(HoldfastError):
    """A password that a person may have chosen must keep its full protection."""

    code = "guessable_password"
    guidance = "Only a password of 32 random bytes may have a cheap key."
    status = 400


class NewKeyFile(msgspec.Struct, frozen=True, kw_only=True):
    """A key file to be stored as ``keys/<name>``."""

    name: str
    content: bytes


class _File(msgspec.Struct, kw_only=True):
    created: datetime
    username: str = ""
    hostname: str = ""
    kdf: str = ""
    N: int = 0
    r: int = 0
    p: int = 0
    salt: bytes = b""  # base64 in the JSON, as msgspec and restic both have it
    data: bytes = b""


def is_cheap(content: bytes) -> bool:
    """Whether the key file has the cheapest parameters already."""
    file = _read(content)
    return (file.N, file.r, file.p) == CHEAP


def opens(content: bytes, password: Secret) -> bool:
    """Whether *password* opens the key file.  Takes as long as its parameters ask for."""
    try:
        _open(_read(content), password)
    except KeyPasswordError:
        return False
    return True


def cheap_key(
    content: bytes, password: Secret, *, now: datetime, new_password: Secret | None = None
) -> NewKeyFile:
    """A key file with the same master key and password as *content*, but quick to open.

    With *new_password* it is opened by that one instead; then only that one must be long.
    Raises GuessablePasswordError for a short password, KeyPasswordError for a wrong one,
    and KeyFileError for anything that is no key file.
    """
    master = master_of(content, password)
    return wrap(content, master, new_password or password, CHEAP, now=now)


def master_of(content: bytes, password: Secret) -> bytes:
    """The master key, as the JSON document that restic keeps.  Raises as ``cheap_key``."""
    return _open(_read(content), password)


def wrap(
    like: bytes, master: bytes, password: Secret, cost: tuple[int, int, int], *, now: datetime
) -> NewKeyFile:
    """A key file of *cost* (N, r, p) for *master*; who made it is as in the file *like*.

    Raises GuessablePasswordError for a short password at the lowest cost.
    """
    if cost == CHEAP and len(password.reveal().strip()) < MACHINE_MADE:
        raise GuessablePasswordError
    old = _read(like)
    n, r, p = cost
    salt = os.urandom(64)
    nonce = os.urandom(NONCE)
    encryption, mac_k, mac_r = _user_key(password, salt, n, r, p)
    sealed = ctr(encryption, nonce, master)
    new = _File(
        created=now,
        username=old.username,
        hostname=old.hostname,
        kdf="scrypt",
        N=n,
        r=r,
        p=p,
        salt=salt,
        data=nonce + sealed + Poly1305.generate_tag(mac_key(mac_k, mac_r, nonce), sealed),
    )
    document = msgspec.json.encode(new)
    return NewKeyFile(name=hashlib.sha256(document).hexdigest(), content=document)


def _read(content: bytes) -> _File:
    try:
        file = msgspec.json.decode(content, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KeyFileError from error
    # Who stores the repository also writes its key files, and could ask for any effort.
    possible = file.N > 1 and file.N & (file.N - 1) == 0 and file.r > 0 and 0 < file.p <= 64
    if file.kdf != "scrypt" or not possible or 128 * file.N * file.r > MAX_MEMORY:
        raise KeyFileError("This key file names scrypt parameters that are not acceptable.")
    if len(file.salt) < 8 or len(file.data) <= NONCE + MAC:
        raise KeyFileError
    return file


def _open(file: _File, password: Secret) -> bytes:
    encryption, mac_k, mac_r = _user_key(password, file.salt, file.N, file.r, file.p)
    nonce, sealed, mac = file.data[:NONCE], file.data[NONCE:-MAC], file.data[-MAC:]
    try:
        Poly1305.verify_tag(mac_key(mac_k, mac_r, nonce), sealed, mac)
    except InvalidSignature as error:
        raise KeyPasswordError from error
    return ctr(encryption, nonce, sealed)


def _user_key(password: Secret, salt: bytes, n: int, r: int, p: int) -> tuple[bytes, bytes, bytes]:
    # restic strips what it reads from a password file.
    stretched = Scrypt(salt=salt, length=64, n=n, r=r, p=p).derive(
        password.reveal().strip().encode()
    )
    return stretched[:32], stretched[32:48], stretched[48:]


def ctr(key: bytes, nonce: bytes, data: bytes) -> bytes:
    """AES-256 in counter mode: the same for both directions."""
    encryptor = Cipher(algorithms.AES(key), modes.CTR(nonce)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def mac_key(k: bytes, r: bytes, nonce: bytes) -> bytes:
    """Poly1305-AES: the one-time half of Poly1305's key is the nonce under AES."""
    # ECB of one block is AES as such, which is what the construction is made of.
    block = Cipher(algorithms.AES(k), modes.ECB()).encryptor()  # noqa: S305 - as said
    return r + block.update(nonce)
