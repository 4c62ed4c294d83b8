"""What becomes of keys and passwords.  Never a secret itself."""

from typing import ClassVar
from uuid import UUID

from holdfast.events.base import Event


class RecoveryKitMade(Event, frozen=True, kw_only=True):
    """All that opens the repositories was handed out to an administrator."""

    TYPE: ClassVar[str] = "recovery_kit.made"

    destination_ids: tuple[UUID, ...]
    """Whose passwords are in it."""
