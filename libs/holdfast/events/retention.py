"""What retention asks of the catalog.  The catalog makes a run of each."""

from typing import ClassVar
from uuid import UUID

from holdfast.events.base import Event


class ForgetRequested(Event, frozen=True, kw_only=True):
    """These snapshots are no longer kept by their policy."""

    TYPE: ClassVar[str] = "forget.requested"

    run_id: UUID
    """The run that is to do it; derived, so that a repeat asks for the same one."""
    configuration_id: UUID
    destination_id: UUID
    restic_snapshot_ids: tuple[str, ...]


class PruneRequested(Event, frozen=True, kw_only=True):
    """A repository holds data that no snapshot needs, and its time to free it has come."""

    TYPE: ClassVar[str] = "prune.requested"

    run_id: UUID
    destination_id: UUID
