"""The catalog's database, handed to an executor that backs it up."""

from uuid import UUID

import msgspec

from holdfast.events.queries.base import Query


class DatabasePart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the script that makes the database anew.  Its secrets are sealed in it."""

    ready: bool
    """False: it is being made; ask again in a moment."""
    content: bytes = b""
    is_last: bool = False


class ReadDatabase(Query[DatabasePart], frozen=True, kw_only=True):
    """A part of the database as it stood when the run first asked; parts begin at 0.

    Raises ConflictError when the run is not, or no longer, the asker's.
    """

    SUBJECT = "catalog.database.read"
    REPLY = DatabasePart

    run_id: UUID
    claim: int
    part: int
