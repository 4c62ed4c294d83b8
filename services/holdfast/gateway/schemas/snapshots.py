"""Restores: what is asked for, and what a restore that was waited for came to."""

from typing import Annotated
from uuid import UUID

import msgspec

from holdfast.events.queries import RestoreSnapshot
from holdfast.gateway.schemas.text import AbsolutePath, AnyPath, Request


class RestoreRequest(Request, frozen=True, kw_only=True):
    """Bring a snapshot back below a path of a device."""

    target_device_id: UUID
    target_path: AbsolutePath
    files: Annotated[tuple[AnyPath, ...], msgspec.Meta(max_length=10_000)] = ()
    """Exact paths in the snapshot; none means all of it."""
    overwrite: bool = False
    """Whether files that are there and differ may be replaced."""

    def query(self, snapshot_id: UUID) -> RestoreSnapshot:
        """The question to the catalog; the fields have the same names there."""
        return RestoreSnapshot(snapshot_id=snapshot_id, **msgspec.structs.asdict(self))


class RestoreOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """A restore that has ended well: the spec's answer, to the letter."""

    success: bool
    message: str
    restored_path: str
