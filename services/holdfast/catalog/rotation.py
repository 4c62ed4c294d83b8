"""Changing the master key: the data keys are wrapped once more, no secret is touched.

``rotate`` lets a second master key open the data keys; ``finish`` takes the first away.
Between the two both open everything, so whatever dies, and whichever of them the settings
name, the catalog starts.  A person ends it, after having seen it start with the new one.
"""

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import msgspec

from holdfast.catalog.master_key import FileSource, Source, find_master_key, make_master_key
from holdfast.catalog.store import keys
from holdfast.catalog.store.keys import MasterKeyRow
from holdfast.catalog.store.pool import Connection, Pool, transaction
from holdfast.kernel.errors import ConflictError, HoldfastError, NotFoundError
from holdfast.kernel.private_file import create_private, sync_directory
from holdfast.secretbox.errors import WrongMasterKeyError
from holdfast.secretbox.keys import MasterKey, load_key_file, rewrap


class Step(StrEnum):
    """How far it is: told after each step that changed something, or proved something."""

    OLD_OPENS = "the present master key opens every data key"
    NEW_MADE = "the new master key is made"
    WRAPPED = "the data keys are wrapped by both"
    BOTH_OPEN = "both master keys open everything"
    PROVED = "the new master key was read again, and opens every data key"
    OLD_KEPT = "the old key file is kept beside the new one"
    SWITCHED = "the new key file is in place"
    OLD_DROPPED = "no other master key opens the data keys any more"
    FILES_DELETED = "the old key files are deleted"


Told = Callable[[Step], None]


class UnfinishedRotationError(ConflictError):
    """An earlier change of the master key was not finished."""

    code = "rotation_unfinished"
    guidance = (
        "'holdfast keys finish' keeps the master key that the settings name, and drops the other."
    )


class KeysStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands with the keys."""

    master_keys: tuple[MasterKeyRow, ...]
    """More than one: the master key is being changed."""
    named: str
    """The id of the one that the settings name; empty when they name none that opens."""
    why_not: str = ""
    """Why they do not."""
    data_keys: int
    secrets: int


async def keys_status(pool: Pool, source: Source) -> KeysStatus:
    """What opens the secrets, since when, and whether the settings name it."""
    async with transaction(pool) as connection:
        known = await keys.master_keys(connection)
        named, why_not = "", ""
        try:
            named = (await find_master_key(source, known)).id
        except HoldfastError as error:
            why_not = str(error)
        return KeysStatus(
            master_keys=known,
            named=named,
            why_not=why_not,
            data_keys=await keys.count_data_keys(connection),
            secrets=await keys.count_secrets(connection),
        )


async def rotate(pool: Pool, old: Source, new: Source, now: datetime, told: Told) -> MasterKey:
    """Let *new* open the data keys too, and put its key file in place if it has one.

    Broken off at any step it can be called again.  Raises UnfinishedRotationError when
    another change is open, and what ``find_master_key`` raises.
    """
    made = _beside(new)
    async with transaction(pool) as connection:
        await keys.lock_keys(connection)
        known = await keys.master_keys(connection)
        if not known:
            raise NotFoundError("There is no master key yet: it is made at the first start.")
        present = await find_master_key(old, known)
        await _prove(connection, present)
        told(Step.OLD_OPENS)
        master = await _new_one(connection, known, present, made, now)
        told(Step.NEW_MADE)
        if master.id not in {each.id for each in known}:
            for wrapped in await keys.wrapped_keys(connection, present.id):
                await keys.add_wrapped_key(connection, rewrap(wrapped, old=present, new=master))
        told(Step.WRAPPED)
    told(Step.BOTH_OPEN)
    async with transaction(pool) as connection:
        again = await find_master_key(made, await keys.master_keys(connection))
        await _prove(connection, again)
    told(Step.PROVED)
    if isinstance(new, FileSource) and isinstance(made, FileSource):
        _put_in_place(made.path, new.path, told)
    return master


async def finish(
    pool: Pool, source: Source, files: Sequence[Path], told: Told, *, delete_files: bool
) -> tuple[Path, ...]:
    """Let only the master key that the settings name open the data keys.

    Key files among *files* that open nothing any more are deleted if that is wanted; those
    that are still there are returned.
    """
    async with transaction(pool) as connection:
        await keys.lock_keys(connection)
        master = await find_master_key(source, await keys.master_keys(connection))
        await _prove(connection, master)
        told(Step.PROVED)
        await keys.drop_other_master_keys(connection, master.id)
    told(Step.OLD_DROPPED)
    useless = tuple(path for path in files if path.exists() and _opens_not(path, master))
    if not delete_files:
        return useless
    for path in useless:
        path.unlink(missing_ok=True)
        sync_directory(path.parent)
    told(Step.FILES_DELETED)
    return ()


def key_files_beside(path: Path) -> tuple[Path, ...]:
    """The key file itself, and those that a change of it has left."""
    return (path, _new_name(path), *sorted(path.parent.glob(f"{path.name}.old-*")))


async def _new_one(
    connection: Connection,
    known: Sequence[MasterKeyRow],
    present: MasterKey,
    made: Source,
    now: datetime,
) -> MasterKey:
    """The new master key: the one that an earlier try has made, or one made now."""
    others = [each for each in known if each.id != present.id]
    if others:
        try:
            return await find_master_key(made, others)
        except HoldfastError as error:
            raise UnfinishedRotationError(detail=str(error)) from error
    master, row = await make_master_key(made, now)
    await keys.add_master_key(connection, row)
    return master


async def _prove(connection: Connection, master: MasterKey) -> None:
    """Open every data key.  Raises WrongMasterKeyError or SealBrokenError."""
    wrapped = await keys.wrapped_keys(connection, master.id)
    for each in wrapped:
        master.unwrap(each)
    if len(wrapped) != await keys.count_data_keys(connection):
        raise WrongMasterKeyError(f"The master key {master.id} does not open every data key.")


def _beside(source: Source) -> Source:
    """A new key file is made beside its place: what is there is in use until the end."""
    return FileSource(_new_name(source.path)) if isinstance(source, FileSource) else source


def _new_name(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _put_in_place(made: Path, path: Path, told: Told) -> None:
    """Keep the file that is at *path* under its key's id, then put the new one there.

    At every moment one whole key file is at *path*.
    """
    if path.exists():
        old = load_key_file(path)
        create_private(path.with_name(f"{path.name}.old-{old.id}"), path.read_bytes())
    told(Step.OLD_KEPT)
    os.replace(made, path)
    sync_directory(path.parent)
    told(Step.SWITCHED)


def _opens_not(path: Path, master: MasterKey) -> bool:
    """Whether it is a master key's file, and not that of *master*."""
    try:
        return load_key_file(path).id != master.id
    except HoldfastError:
        return False  # whatever it is, it is not ours to delete
