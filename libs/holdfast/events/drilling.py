"""What an executor is given to do for a drill."""

from typing import ClassVar
from uuid import UUID

from holdfast.events.base import Work
from holdfast.events.discovery import FoundApp
from holdfast.events.drills import DrillMode, DrillProbe
from holdfast.events.work import DestinationAddress, DeviceAddress


class DrillRequested(Work, frozen=True, kw_only=True):
    """Restore a snapshot to a scratch place, see that all is as it was, and take it away."""

    TYPE: ClassVar[str] = "drill.requested"

    configuration_id: UUID
    """Two drills of one are never at work at once: its scratch place is its own."""
    app_id: UUID | None = None
    app_name: str = ""
    address: DestinationAddress
    restic_snapshot_id: str
    backup_run_id: UUID
    """The run that made the snapshot: what was kept beside it is known by that."""
    device: DeviceAddress | None = None
    """Where it is restored to, when that is behind SSH; None: the executor's own machine."""
    mode: DrillMode = DrillMode.COMPARE
    scratch_path: str = ""
    """The directory below which that is; empty: Holdfast's cache there."""
    most_bytes: int = 0
    """Of a larger snapshot a sample of so many bytes is restored; 0: always all of it."""
    found: FoundApp | None = None
    """What was last known of the app; None: it has no containers that are known."""
    probes: tuple[DrillProbe, ...] = ()
