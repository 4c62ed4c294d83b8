"""Restores: what is asked for, and what a restore that was waited for came to."""

from typing import Annotated
from uuid import UUID

import msgspec

from holdfast.events.queries import RestoreSnapshot
from holdfast.events.restoring import RestoreMode
from holdfast.gateway.schemas.text import AbsolutePath, AnyPath, Request
from holdfast.kernel.errors import InvalidRequestError


class RestoreRequest(Request, frozen=True, kw_only=True):
    """Bring a snapshot back below a path of a device."""

    target_device_id: UUID
    target_path: AbsolutePath
    files: Annotated[tuple[AnyPath, ...], msgspec.Meta(max_length=10_000)] = ()
    """Exact paths in the snapshot; none means all of it."""
    overwrite: bool = False
    """Short for `mode`: `always`."""
    mode: RestoreMode | None = None
    """What happens to files that are there: `never` touches none, and restores nothing when one of
    them is not as in the snapshot; `if_changed` replaces those whose content differs, `if_newer`
    those that are older than the snapshot's, `always` all.  Left out: `never`."""
    dry_run: bool = False
    """Only tell what would be done: `result.plan` of the run."""
    verify: bool = False
    """Read what was written again, and compare it with the snapshot."""
    sparse: bool = True
    """Long rows of zeros take no space on the disk."""

    def query(self, snapshot_id: UUID) -> RestoreSnapshot:
        """The question to the catalog.  Raises InvalidRequestError for two that contradict."""
        if self.overwrite and self.mode not in (None, RestoreMode.ALWAYS):
            raise InvalidRequestError(
                f"overwrite: true means mode 'always', and mode is '{self.mode}'.",
                guidance="Leave one of the two out.",
            )
        by_default = RestoreMode.ALWAYS if self.overwrite else RestoreMode.NEVER
        return RestoreSnapshot(
            snapshot_id=snapshot_id,
            target_device_id=self.target_device_id,
            target_path=self.target_path,
            files=self.files,
            mode=self.mode or by_default,
            dry_run=self.dry_run,
            verify=self.verify,
            sparse=self.sparse,
        )


class RestoreOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """A restore that has ended well: the spec's answer, to the letter."""

    success: bool
    message: str
    restored_path: str
