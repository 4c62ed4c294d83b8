"""Give a repository with a machine-made password a key that opens it at once.

See ``holdfast.secretbox.restic_key`` for why this is safe, and for which passwords.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from holdfast.restic.commands import config, key
from holdfast.restic.errors import WrongPasswordError
from holdfast.restic.process import Restic
from holdfast.secretbox.restic_key import cheap_key, is_cheap, opens


class KeyFiles(Protocol):
    """The objects below ``keys/`` of a repository, reached without restic."""

    async def names(self) -> Sequence[str]:
        """Their names, which are the ids of the keys."""
        ...

    async def read(self, name: str) -> bytes:
        """The content of one."""
        ...

    async def write(self, name: str, content: bytes) -> None:
        """Store one, whole or not at all."""
        ...


async def make_quick(restic: Restic, files: KeyFiles, *, now: datetime) -> str:
    """Replace the slow key of the repository's password by a quick one; the id of that.

    The old key goes only after restic opened the repository with the new one, and may be
    interrupted anywhere: at every step the password opens the repository.  Doing it again
    does nothing.  Use the id as the repository's ``key_hint`` from then on.

    Raises WrongPasswordError when no key opens with the password, and
    GuessablePasswordError when a person may have chosen it.
    """
    password = restic.repository.password
    contents = {name: await files.read(name) for name in await files.names()}
    cheap_first = sorted(contents, key=lambda name: not is_cheap(contents[name]))
    # In threads: scrypt keeps a core busy for half a second for each.
    mine = [
        name for name in cheap_first if await asyncio.to_thread(opens, contents[name], password)
    ]
    if not mine:
        raise WrongPasswordError
    if is_cheap(contents[mine[0]]):
        quick, slow = mine[0], [name for name in mine[1:] if not is_cheap(contents[name])]
    else:
        made = await asyncio.to_thread(cheap_key, contents[mine[0]], password, now=now)
        await files.write(made.name, made.content)
        quick, slow = made.name, mine

    through = Restic(
        restic.binary,
        restic.runner,
        msgspec.structs.replace(restic.repository, key_hint=quick),
        run_id=restic.run_id,
        retry_lock=restic.retry_lock,
    )
    await config.run(through)
    current = [each.id for each in await key.list_keys(through) if each.current]
    for name in slow:
        # Opened with the quick one for certain, or nothing is removed.
        if current == [quick]:
            await key.remove(through, name)
    return quick
