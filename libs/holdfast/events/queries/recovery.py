"""The recovery kit."""

from uuid import UUID

import msgspec

from holdfast.events.base import AwareTime
from holdfast.events.queries.base import Query
from holdfast.events.work import DestinationAddress, DestinationSecrets

RECOVERY_KIT_PURPOSE = "recovery-kit"
"""What binds a sealed kit to its use."""


class KitDestination(msgspec.Struct, frozen=True, kw_only=True):
    """A destination, and all that opens it.  Only ever encoded inside a sealed envelope."""

    address: DestinationAddress
    device: str = ""
    """Where a local one is."""
    in_use: bool = True
    """False: it was removed, and its repository left where it is."""
    secrets: DestinationSecrets


class KitContent(msgspec.Struct, frozen=True, kw_only=True):
    """What a recovery kit is made of."""

    instance_id: UUID
    made_at: AwareTime
    destinations: tuple[KitDestination, ...]


class SealedKit(msgspec.Struct, frozen=True, kw_only=True):
    """A recovery kit on its way."""

    sealed: bytes
    """``KitContent`` sealed to the asker's key for ``RECOVERY_KIT_PURPOSE``."""


class MakeRecoveryKit(Query[SealedKit], frozen=True, kw_only=True):
    """Hand out all that opens the repositories, and remember that it was handed out."""

    SUBJECT = "catalog.recovery_kit.make"
    REPLY = SealedKit

    public_key: bytes
    """The asker's, made for this one question."""
