"""From where a snapshot is restored, when several destinations have it.  Pure."""

from collections.abc import Iterable
from uuid import UUID

import msgspec

from holdfast.events.work import DestinationType

NEARNESS = (DestinationType.LOCAL, DestinationType.SFTP, DestinationType.S3)
"""The quickest first: a disk of the house, then a machine, then a cloud."""


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot of the content that is wanted, at one destination."""

    snapshot_id: UUID
    destination_id: UUID
    restic_snapshot_id: str
    type: DestinationType
    is_in_use: bool
    """The destination is ready, and switched on."""
    is_damaged: bool
    """A check found damage that this snapshot has a part in."""


def in_order(copies: Iterable[Copy], wanted: UUID) -> tuple[Copy, ...]:
    """Sound ones first, then those in use, then the nearest; of equals the one that was *wanted*.

    One that is damaged, or out of use, is tried last, and not left out: it may be all there is.
    """
    return tuple(
        sorted(
            copies,
            key=lambda each: (
                each.is_damaged,
                not each.is_in_use,
                NEARNESS.index(each.type),
                each.snapshot_id != wanted,
                each.snapshot_id,
            ),
        )
    )
