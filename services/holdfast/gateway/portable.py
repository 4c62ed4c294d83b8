"""From the catalog's answer to a file under a passphrase, and back."""

import asyncio

import msgspec

from holdfast.events.portable import SECRETS_PURPOSE, Export
from holdfast.events.queries import ExportSettings, GetIdentity, ImportReport, ImportSettings
from holdfast.gateway.catalog_client import CatalogClient
from holdfast.gateway.schemas.portable import ExportFile, ImportRequest
from holdfast.kernel.errors import InvalidRequestError
from holdfast.kernel.secret import Secret
from holdfast.secretbox.envelope import ReceiverKey, seal_to
from holdfast.secretbox.sealed_file import open_with_passphrase, seal_with_passphrase

ASK_SECONDS = 60.0
"""Thousands of things in one transaction take a while."""


async def export_file(catalog: CatalogClient, passphrase: Secret | None) -> ExportFile:
    """The file; with secrets if there is a passphrase to seal them under.

    They come from the catalog sealed to a key that lives as long as this call.
    """
    key = ReceiverKey.generate()
    query = ExportSettings(public_key=key.public if passphrase is not None else b"")
    answer = await catalog.ask(query, ASK_SECONDS)
    file = ExportFile(**{name: getattr(answer.export, name) for name in Export.__struct_fields__})
    if passphrase is None:
        return file
    plain = key.open(answer.sealed_secrets, SECRETS_PURPOSE)
    # scrypt is meant to be slow; other requests need not stand still for it.
    sealed = await asyncio.to_thread(seal_with_passphrase, passphrase, plain, SECRETS_PURPOSE)
    return msgspec.structs.replace(file, sealed=sealed)


async def import_file(
    catalog: CatalogClient, request: ImportRequest, *, dry_run: bool, replace: bool
) -> ImportReport:
    """Bring the file in.  Raises WrongPassphraseError, and what the catalog says of the file."""
    sealed = b""
    if request.file.sealed is not None:
        if request.passphrase is None:
            raise InvalidRequestError(
                "The file holds secrets, and there is no passphrase to open them.",
                guidance="Give the passphrase that it was exported with.",
            )
        plain = await asyncio.to_thread(
            open_with_passphrase, Secret(request.passphrase), request.file.sealed, SECRETS_PURPOSE
        )
        identity = await catalog.ask(GetIdentity())
        sealed = seal_to(identity.public_key, plain, SECRETS_PURPOSE)
    query = ImportSettings(
        export=msgspec.structs.replace(request.file, sealed=None),
        sealed_secrets=sealed,
        dry_run=dry_run,
        replace=replace,
    )
    return await catalog.ask(query, ASK_SECONDS)
