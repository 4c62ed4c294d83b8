"""Where the master key comes from, and finding or making it."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from holdfast.catalog.store.keys import MasterKeyRow
from holdfast.kernel.secret import Secret
from holdfast.secretbox.errors import WrongMasterKeyError
from holdfast.secretbox.keys import (
    KdfParameters,
    MasterKey,
    MasterKeyKind,
    load_key_file,
    load_or_create_key_file,
)
from holdfast.secretbox.token_key import (
    TokenAccess,
    TokenParameters,
    make_token_key,
    master_key_of_token,
)
from holdfast.settings import Settings

TOLD = {
    MasterKeyKind.FILE: "a key file",
    MasterKeyKind.PASSPHRASE: "a passphrase",
    MasterKeyKind.PKCS11: "a hardware token",
}


class FileSource(msgspec.Struct, frozen=True):
    """A file of 32 bytes."""

    path: Path
    kind = MasterKeyKind.FILE


class PassphraseSource(msgspec.Struct, frozen=True):
    """A passphrase, through scrypt."""

    passphrase: Secret
    kind = MasterKeyKind.PASSPHRASE


class TokenSource(msgspec.Struct, frozen=True):
    """A hardware token."""

    access: TokenAccess
    kind = MasterKeyKind.PKCS11


Source = FileSource | PassphraseSource | TokenSource


def source_of(settings: Settings) -> Source:
    """What the settings name: a token before a passphrase before a file."""
    if settings.pkcs11_module is not None:
        return TokenSource(
            TokenAccess(
                module=settings.pkcs11_module,
                token=settings.pkcs11_token,
                key=settings.pkcs11_key,
                pin=settings.pkcs11_pin,
            )
        )
    if settings.master_passphrase is not None:
        return PassphraseSource(settings.master_passphrase)
    return FileSource(settings.master_key_file)


async def find_master_key(source: Source, known: Sequence[MasterKeyRow]) -> MasterKey:
    """The one of the *known* that *source* gives.

    Raises WrongMasterKeyError that says what the data was made with, MasterKeyFileError
    or TokenError.
    """
    for row in [each for each in known if each.kind is source.kind]:
        master = await _derived(source, row.parameters)
        if master.id == row.id:
            return master
    if isinstance(source, FileSource) and all(each.kind is not source.kind for each in known):
        load_key_file(source.path)  # that there is none at all is told first
    wanted = " or ".join(f"{TOLD[each.kind]} ({each.id})" for each in known)
    raise WrongMasterKeyError(
        f"This data opens with {wanted}, not with {TOLD[source.kind]} as the settings name it."
    )


async def make_master_key(source: Source, now: datetime) -> tuple[MasterKey, MasterKeyRow]:
    """A new one, and its row; what lasts of it (a file, a key in a token) is in place."""
    parameters: KdfParameters | TokenParameters | None = None
    match source:
        case FileSource(path):
            await asyncio.to_thread(load_or_create_key_file, path)
        case PassphraseSource():
            parameters = KdfParameters.generate()
        case TokenSource(access):
            await asyncio.to_thread(make_token_key, access)
            parameters = TokenParameters.generate()
    master = await _derived(source, parameters)
    return master, MasterKeyRow(
        id=master.id, kind=source.kind, parameters=parameters, created_at=now
    )


async def _derived(source: Source, parameters: KdfParameters | TokenParameters | None) -> MasterKey:
    """In a thread: scrypt is meant to be slow, and a token may be."""
    match source, parameters:
        case FileSource(path), None:
            return await asyncio.to_thread(load_key_file, path)
        case PassphraseSource(passphrase), KdfParameters():
            return await asyncio.to_thread(MasterKey.from_passphrase, passphrase, parameters)
        case TokenSource(access), TokenParameters():
            return await asyncio.to_thread(master_key_of_token, access, parameters)
        case _:
            raise WrongMasterKeyError("The row of a master key does not fit its kind.")
