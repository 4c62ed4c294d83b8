"""A restic lock that says what a test wants, sealed with the repository's own key."""

import base64
import hashlib
import os
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.poly1305 import Poly1305

from holdfast.restic import Restic
from holdfast.secretbox.restic_key import NONCE, ctr, mac_key


class _Mac(msgspec.Struct):
    k: str
    r: str


class _Master(msgspec.Struct):
    mac: _Mac
    encrypt: str


async def forged_lock(
    restic: Restic,
    repository: str,
    *,
    host: str,
    pid: int,
    time: datetime,
    exclusive: bool = False,
) -> Path:
    """The file of a lock that *pid* on *host* seems to have made at *time*."""
    told = await restic.run(("cat", "--no-lock", "masterkey"))
    master = msgspec.json.decode(b"".join(told.stdout), type=_Master)
    key, k, r = map(base64.b64decode, (master.encrypt, master.mac.k, master.mac.r))
    plain = msgspec.json.encode(
        {"time": time, "exclusive": exclusive, "hostname": host, "username": "x", "pid": pid}
    )
    nonce = os.urandom(NONCE)
    sealed = ctr(key, nonce, plain)
    content = nonce + sealed + Poly1305.generate_tag(mac_key(k, r, nonce), sealed)
    path = Path(repository) / "locks" / hashlib.sha256(content).hexdigest()
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path
