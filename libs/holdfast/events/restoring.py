"""What a restore may do with files that are there, and what one came to."""

from enum import StrEnum
from uuid import UUID

import msgspec


class RestoreMode(StrEnum):
    """What happens to a file that is there already."""

    NEVER = "never"
    """It stays.  When it is not as in the snapshot, nothing is restored at all."""
    IF_CHANGED = "if_changed"
    """It is replaced when its content differs; one of the same size and time is not read, unless
    what was written is to be verified."""
    IF_NEWER = "if_newer"
    """It is replaced when the snapshot's is newer."""
    ALWAYS = "always"
    """It is replaced."""


class PlannedFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore would do with one file."""

    path: str
    """In the snapshot."""
    action: str
    """restic's word: ``restored`` (it is not there), ``updated``, ``unchanged``."""
    size: int = 0


class RestorePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore would do: nothing was written.  Folders are not counted."""

    restored: int = 0
    restored_bytes: int = 0
    updated: int = 0
    updated_bytes: int = 0
    unchanged: int = 0
    unchanged_bytes: int = 0
    files: tuple[PlannedFile, ...] = ()
    """The first thousand that would be written."""
    in_the_way: tuple[str, ...] = ()
    """The first few for which it would be refused."""
    in_the_way_count: int = 0


class FailedSource(msgspec.Struct, frozen=True, kw_only=True):
    """A destination that was tried, and failed."""

    destination_id: UUID
    destination_name: str
    code: str
    message: str


class AppRestoreStep(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done to bring an app back."""

    name: str
    seconds: float


class AppRestorePlace(msgspec.Struct, frozen=True, kw_only=True):
    """A volume, a directory or a file of an app that is brought back."""

    source: str
    """Its path in the snapshot."""
    path: str
    """Where it goes on the device."""
    volume: str = ""
    """Its name, if it is one."""
    previous: str = ""
    """Where what was there lies now; empty: nothing was there."""


class DiscardResult(msgspec.Struct, frozen=True, kw_only=True, tag="discard_previous"):
    """What was there before an app's restore is gone for good."""

    restore_run_id: UUID
    removed: tuple[str, ...]
    """Folders and files, where they lay, and images; empty: another run removed them before."""
    freed_bytes: int
    """What they took on the disk."""


class AppRestoreResult(msgspec.Struct, frozen=True, kw_only=True, tag="app_restore"):
    """An app was brought back, or with ``dry_run`` it was told what would be done."""

    dry_run: bool
    places: tuple[AppRestorePlace, ...]
    containers: tuple[str, ...] = ()
    """Those that run again, in the order in which they were started."""
    databases: tuple[str, ...] = ()
    """Those of them whose dump was loaded."""
    steps: tuple[AppRestoreStep, ...] = ()
    problems: tuple[str, ...] = ()
    """What stands in the way; only a dry run succeeds with any."""
    warnings: tuple[str, ...] = ()
    """What somebody should know of, a sentence each: containers that were of another version."""
    previous_images: tuple[str, ...] = ()
    """What the containers are kept as in whose place others were made."""
    files_restored: int = 0
    bytes_restored: int = 0
    destination_id: UUID | None = None
    """Where it came from."""
    failed_sources: tuple[FailedSource, ...] = ()
    """What was tried before; after each all was put back."""
