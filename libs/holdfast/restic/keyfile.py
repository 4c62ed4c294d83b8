"""Give a repository with a machine-made password a key that opens it at once.

See ``holdfast.secretbox.restic_key`` for why this is safe, and for which passwords.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from holdfast.kernel.secret import Secret
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
    contents = await _contents(files)
    mine = await _opened_by(contents, password)
    if not mine:
        raise WrongPasswordError
    if is_cheap(contents[mine[0]]):
        quick, slow = mine[0], [name for name in mine[1:] if not is_cheap(contents[name])]
    else:
        made = await asyncio.to_thread(cheap_key, contents[mine[0]], password, now=now)
        await files.write(made.name, made.content)
        quick, slow = made.name, list(mine)

    with_quick = through(restic, password, quick)
    await config.run(with_quick)
    current = [each.id for each in await key.list_keys(with_quick) if each.current]
    for name in slow:
        # Opened with the quick one for certain, or nothing is removed.
        if current == [quick]:
            await key.remove(with_quick, name)
    return quick


async def add_quick(restic: Restic, files: KeyFiles, password: Secret, *, now: datetime) -> str:
    """Let *password*, which a machine has made, open the repository too; the id of its key.

    Doing it again does nothing.  Raises WrongPasswordError when restic's own password opens
    no key, and GuessablePasswordError when a person may have chosen *password*.
    """
    contents = await _contents(files)
    there = await _opened_by(contents, password)
    if there:
        return there[0]
    mine = await _opened_by(contents, restic.repository.password)
    if not mine:
        raise WrongPasswordError
    made = await asyncio.to_thread(
        cheap_key, contents[mine[0]], restic.repository.password, now=now, new_password=password
    )
    await files.write(made.name, made.content)
    return made.name


async def remove_keys_of(restic: Restic, files: KeyFiles, password: Secret) -> tuple[str, ...]:
    """Remove every key that *password* opens, which is not restic's own; their ids.

    restic has opened the repository with another key by then, and refuses to remove that one:
    the last key that opens cannot go.  Raises ValueError for restic's own password.
    """
    if password == restic.repository.password:
        raise ValueError("these are the keys that open the repository")
    theirs = await _opened_by(await _contents(files), password)
    for name in theirs:
        await key.remove(restic, name)
    return theirs


def through(restic: Restic, password: Secret, key_id: str) -> Restic:
    """*restic*, opening the repository with *password* and the key *key_id* first."""
    return Restic(
        restic.binary,
        restic.runner,
        msgspec.structs.replace(restic.repository, password=password, key_hint=key_id),
        run_id=restic.run_id,
        retry_lock=restic.retry_lock,
    )


async def _contents(files: KeyFiles) -> dict[str, bytes]:
    return {name: await files.read(name) for name in await files.names()}


async def _opened_by(contents: dict[str, bytes], password: Secret) -> tuple[str, ...]:
    """The keys that *password* opens, quick ones first."""
    cheap_first = sorted(contents, key=lambda name: not is_cheap(contents[name]))
    # In threads: scrypt keeps a core busy for half a second for each.
    return tuple(
        [name for name in cheap_first if await asyncio.to_thread(opens, contents[name], password)]
    )
