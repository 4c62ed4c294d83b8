"""Removing what was there before an app's restore."""

from typing import ClassVar
from uuid import UUID

from holdfast.events.base import Work
from holdfast.events.work import DeviceAddress


class DiscardRequested(Work, frozen=True, kw_only=True):
    """Remove for good what a restore of an app has set aside."""

    TYPE: ClassVar[str] = "discard.requested"

    app_id: UUID
    app_name: str = ""
    restore_run_id: UUID
    """The restore that set it aside; its journal on the device names what goes."""
    device: DeviceAddress | None = None
    """Where that is, when it is behind SSH; None: the executor's own machine."""
