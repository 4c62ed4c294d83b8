"""``restic key``: the keys that open a repository; each wraps the same master key."""

import re

import msgspec

from holdfast.kernel.errors import InvalidRequestError
from holdfast.kernel.secret import Secret
from holdfast.restic.errors import ResticOutputError
from holdfast.restic.process import Restic, decode


class Key(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A key, as restic lists it."""

    id: str
    current: bool = False
    """It is the one that opened the repository for this call."""
    user_name: str = ""
    host_name: str = ""
    created: str = ""
    """In the local time of restic's machine, without a zone."""


def list_argv() -> tuple[str, ...]:
    """restic's arguments for the list."""
    return ("key", "list", "--no-lock")


def add_argv(user: str = "", host: str = "") -> tuple[str, ...]:
    """restic's arguments for a new key, whose password comes through standard input."""
    argv = ["key", "add", "--new-password-file", "/dev/stdin"]
    if user:
        argv += ["--user", user]
    if host:
        argv += ["--host", host]
    return tuple(argv)


def remove_argv(key_id: str) -> tuple[str, ...]:
    """restic's arguments to remove one.  Raises InvalidRequestError unless the id is whole."""
    if not re.fullmatch(r"[0-9a-f]{64}", key_id):
        raise InvalidRequestError(f"{key_id!r} is not a whole key id.")
    return ("key", "remove", "--", key_id)


async def list_keys(restic: Restic) -> tuple[Key, ...]:
    """The keys of the repository."""
    finished = await restic.run(list_argv())
    return decode(finished.stdout, tuple[Key, ...])


async def add(restic: Restic, password: Secret, *, user: str = "", host: str = "") -> str:
    """Let *password* open the repository too; the new key's id.  Takes about three seconds."""
    finished = await restic.run(add_argv(user, host), stdin=password)
    text = b"\n".join(finished.stdout).decode(errors="replace")
    if match := re.search(r"with ID ([0-9a-f]{64})", text):
        return match[1]
    raise ResticOutputError("restic told no id of the new key.", detail=text[:500])


async def remove(restic: Restic, key_id: str) -> None:
    """Remove a key.  restic refuses the one that it opened the repository with."""
    await restic.run(remove_argv(key_id))
