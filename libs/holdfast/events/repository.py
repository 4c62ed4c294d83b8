"""What is found out about a repository."""

from typing import ClassVar
from uuid import UUID

from holdfast.events.base import Event


class RepositoryDamaged(Event, frozen=True, kw_only=True):
    """A check has found damage that was not known before."""

    TYPE: ClassVar[str] = "repository.damaged"

    destination_id: UUID
    destination_name: str
    run_id: UUID
    """The check's."""
    packs: tuple[str, ...] = ()
    """Damaged or missing, and new; none when only an index or a snapshot's file is."""
    restic_snapshot_ids: tuple[str, ...] = ()
    """The snapshots that need them, as far as restic can tell."""


class RepositoryMended(Event, frozen=True, kw_only=True):
    """Damage that was known is not there any more: a check or a repair has read what was hurt."""

    TYPE: ClassVar[str] = "repository.mended"

    destination_id: UUID
    destination_name: str
    run_id: UUID
    """The check's, or the repair's."""
    packs: tuple[str, ...] = ()
    """That were damaged or missing; none when only an index or a snapshot's file was."""
    still_damaged: int
    """So many are left that nothing has mended, or read since."""
