"""Which keys an operation is handed.  Pure."""

from holdfast.events.run import Operation
from holdfast.events.work import DestinationSecrets

MAINTENANCE = frozenset((Operation.FORGET, Operation.PRUNE, Operation.PROTECT, Operation.UNDELETE))
"""What deletes, or decides what may be deleted."""


def secrets_for(operation: Operation, secrets: DestinationSecrets) -> DestinationSecrets:
    """What *operation* needs, and no more.

    Adding a destination tries both pairs of keys; everything else gets one.
    """
    if operation is Operation.INIT:
        return secrets
    return secrets.maintenance() if operation in MAINTENANCE else secrets.everyday()
