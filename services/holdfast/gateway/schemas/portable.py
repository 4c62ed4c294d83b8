"""Exports and imports: a file, and the passphrase of its secrets."""

from typing import Annotated

import msgspec

from holdfast.events.portable import Export
from holdfast.gateway.schemas.text import Request
from holdfast.secretbox.sealed_file import PassphraseSealed

Passphrase = Annotated[
    str, msgspec.Meta(min_length=1, max_length=1024, description="Seals the secrets of the file.")
]


class ExportFile(Export, frozen=True, kw_only=True):
    """All settings as a file."""

    sealed: PassphraseSealed | None = None
    """What opens the destinations, under a passphrase; null: it is not in the file."""


class ExportRequest(Request, frozen=True, kw_only=True):
    """Ask for a file with secrets."""

    passphrase: Passphrase

    def __repr__(self) -> str:
        return "ExportRequest(…)"


class ImportRequest(Request, frozen=True, kw_only=True):
    """A file to bring in."""

    file: ExportFile
    passphrase: Passphrase | None = None
    """Needed for a file with secrets."""

    def __repr__(self) -> str:
        return "ImportRequest(…)"
