"""A repository that shares its master key with another one, under a password of its own.

Objects are sealed with the master key, so between two such repositories they can be copied
as they are.  The new one has an id of its own, by which it is known when a disk is mounted
in the place of another; the way it cuts files is the other's.
"""

import hashlib
import os
from datetime import datetime

import msgspec
from cryptography.hazmat.primitives.poly1305 import Poly1305

from holdfast.kernel.secret import Secret
from holdfast.secretbox.restic_key import (
    CHEAP,
    MAC,
    NONCE,
    KeyFileError,
    KeyPasswordError,
    NewKeyFile,
    ctr,
    mac_key,
    master_of,
    wrap,
)

COSTLY = (32768, 8, 5)
"""Scrypt parameters for a password that a person can remember: what restic itself chooses."""

_Document = dict[str, msgspec.Raw]


class Sibling(msgspec.Struct, frozen=True, kw_only=True):
    """What makes an empty place a repository: the key first, the config last."""

    key: NewKeyFile
    config: bytes
    repository_id: str


def make_sibling(
    key: bytes, password: Secret, config: bytes, *, new_password: Secret, cheap: bool, now: datetime
) -> Sibling:
    """From a key file that *password* opens and the config beside it.

    *cheap*: the new password is machine-made.  Raises KeyPasswordError, KeyFileError, and
    GuessablePasswordError for a cheap key with a short password.
    """
    master = master_of(key, password)
    settings = msgspec.json.decode(_unseal(master, config), type=_Document)
    repository_id = os.urandom(32).hex()
    settings["id"] = msgspec.Raw(msgspec.json.encode(repository_id))
    return Sibling(
        key=wrap(key, master, new_password, CHEAP if cheap else COSTLY, now=now),
        config=_seal(master, msgspec.json.encode(settings)),
        repository_id=repository_id,
    )


def fingerprint(key: bytes, password: Secret) -> bytes | None:
    """Equal for two key files with the same master key; None when the password is not its.

    Takes as long as the key's parameters ask for.
    """
    try:
        return hashlib.sha256(b"holdfast sibling\0" + master_of(key, password)).digest()
    except (KeyPasswordError, KeyFileError):
        return None


class _MacKey(msgspec.Struct):
    k: bytes
    r: bytes


class _Master(msgspec.Struct):
    mac: _MacKey
    encrypt: bytes


def _unseal(master: bytes, sealed: bytes) -> bytes:
    keys = msgspec.json.decode(master, type=_Master)
    nonce, content, mac = sealed[:NONCE], sealed[NONCE:-MAC], sealed[-MAC:]
    Poly1305.verify_tag(mac_key(keys.mac.k, keys.mac.r, nonce), content, mac)
    return ctr(keys.encrypt, nonce, content)


def _seal(master: bytes, plain: bytes) -> bytes:
    keys = msgspec.json.decode(master, type=_Master)
    nonce = os.urandom(NONCE)
    content = ctr(keys.encrypt, nonce, plain)
    tag = Poly1305.generate_tag(mac_key(keys.mac.k, keys.mac.r, nonce), content)
    return nonce + content + tag
