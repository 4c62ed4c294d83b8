"""All settings at once: out of an instance, and into one."""

from enum import StrEnum
from uuid import UUID

import msgspec

from holdfast.events import views
from holdfast.events.portable import Export
from holdfast.events.queries.base import Done, Query


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """The settings, and what opens the destinations."""

    export: Export
    sealed_secrets: bytes = b""
    """``Secrets`` sealed to the asker's key, for ``SECRETS_PURPOSE``."""


class ExportSettings(Query[Exported], frozen=True, kw_only=True):
    """Ask for everything there is to carry elsewhere."""

    SUBJECT = "catalog.export"
    REPLY = Exported

    public_key: bytes = b""
    """Whom the secrets are sealed to; empty: they are not wanted."""


class Verdict(StrEnum):
    """What an import does, or would do, with one thing of the file."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    CONFLICT = "conflict"
    """It is left out: the reason says why."""


class ImportEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing of the file."""

    kind: str
    """device, destination, policy, app or configuration"""
    id: UUID
    """Its id here."""
    name: str
    verdict: Verdict
    reason: str = ""


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came, or would come, of every thing in the file."""

    dry_run: bool
    entries: tuple[ImportEntry, ...]
    run_ids: tuple[UUID, ...] = ()
    """The runs that see whether each destination that came in opens."""


class ImportSettings(Query[ImportReport], frozen=True, kw_only=True):
    """Bring settings in, in one transaction, or only tell what would come of it."""

    SUBJECT = "catalog.import"
    REPLY = ImportReport

    export: Export
    sealed_secrets: bytes = b""
    """``Secrets`` sealed to the catalog, for ``SECRETS_PURPOSE``."""
    dry_run: bool = False
    replace: bool = False
    """Take the file's version of what is there and differs; otherwise that is a conflict."""


class ManifestDue(msgspec.Struct, frozen=True, kw_only=True):
    """Which repositories do not carry the present settings yet."""

    destination_ids: tuple[UUID, ...] = ()
    digest: str = ""
    export: Export | None = None
    """The settings, if any repository is to get them."""


class GetManifest(Query[ManifestDue], frozen=True, kw_only=True):
    """Ask which of these destinations are to get the settings along."""

    SUBJECT = "catalog.manifest.get"
    REPLY = ManifestDue

    destination_ids: tuple[UUID, ...]


class ManifestKept(Query[Done], frozen=True, kw_only=True):
    """A repository carries the settings of that digest."""

    SUBJECT = "catalog.manifest.kept"
    REPLY = Done

    destination_id: UUID
    digest: str


class ManifestFound(Query[Done], frozen=True, kw_only=True):
    """The settings that a repository carries; they count when the run has ended well."""

    SUBJECT = "catalog.manifest.found"
    REPLY = Done

    run_id: UUID
    claim: int
    """Proves that the teller still holds the run."""
    export: Export


class RebuildFrom(Query[views.RunAccepted], frozen=True, kw_only=True):
    """Queue the run that brings settings, then the one that brings history, back."""

    SUBJECT = "catalog.destination.rebuild"
    REPLY = views.RunAccepted

    destination_id: UUID
