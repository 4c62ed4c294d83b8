"""The files of a snapshot: what people ask, and how executors tell of them.

What is told is a function of restic's tree alone, so whoever tells it, and however often, says
the same.
"""

from uuid import UUID

import msgspec

from holdfast.events import views
from holdfast.events.listing import FolderPage, KnownFolder, Root
from holdfast.events.queries.base import Done, Query


class ListFiles(Query[views.FilePage], frozen=True, kw_only=True):
    """What is in a folder of a snapshot."""

    SUBJECT = "catalog.files.list"
    REPLY = views.FilePage

    snapshot_id: UUID
    path: str = "/"
    limit: int = 200
    cursor: str | None = None


class ListingWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the files of a snapshot are to be told."""

    wanted: bool


class AskListing(Query[ListingWanted], frozen=True, kw_only=True):
    """Are the files of this snapshot known?"""

    SUBJECT = "catalog.listing.ask"
    REPLY = ListingWanted

    snapshot_id: UUID
    tree: str = ""
    """restic's id of its content, if it is known."""


class FoldersUnknown(msgspec.Struct, frozen=True, kw_only=True):
    """Those that are not kept."""

    ids: tuple[bytes, ...]


class AskFolders(Query[FoldersUnknown], frozen=True, kw_only=True):
    """Which of these folders are not kept?  The others stay for a day at least."""

    SUBJECT = "catalog.listing.folders"
    REPLY = FoldersUnknown

    folders: tuple[KnownFolder, ...]


class KeepFolders(Query[Done], frozen=True, kw_only=True):
    """Keep these; what is in a folder comes before it, and a folder's pages in order."""

    SUBJECT = "catalog.listing.keep"
    REPLY = Done

    pages: tuple[FolderPage, ...]


class KeepListing(Query[Done], frozen=True, kw_only=True):
    """All folders of a snapshot are kept: this is its root."""

    SUBJECT = "catalog.listing.root"
    REPLY = Done

    snapshot_id: UUID
    tree: str
    root: Root
