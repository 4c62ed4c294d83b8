"""Which keys an operation is handed.  Pure."""

from holdfast.events.run import Operation
from holdfast.events.work import DestinationSecrets

MAINTENANCE = frozenset(
    (
        Operation.FORGET,
        Operation.PRUNE,
        Operation.PROTECT,
        Operation.UNDELETE,
        Operation.ROTATE_PASSWORD,
    )
)
"""What deletes, or decides what may be deleted."""


def secrets_for(
    operation: Operation, secrets: DestinationSecrets, *, tries: bool = False
) -> DestinationSecrets:
    """What *operation* needs, and no more.

    Adding a destination, and a run that *tries* new credentials of one, try both pairs of
    keys; everything else gets one.
    """
    if tries or operation is Operation.INIT:
        return secrets
    return secrets.maintenance() if operation in MAINTENANCE else secrets.everyday()
