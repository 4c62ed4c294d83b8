"""The events that tell of a changed setting; each goes out once, with the change itself."""

from datetime import datetime
from uuid import UUID

from holdfast.events.changes import (
    Change,
    ConfigurationChanged,
    DestinationChanged,
    PolicyChanged,
)
from holdfast.kernel.ids import new_id


def policy_changed(policy_id: UUID, change: Change, now: datetime) -> PolicyChanged:
    return PolicyChanged(event_id=new_id(), occurred_at=now, policy_id=policy_id, change=change)


def configuration_changed(
    configuration_id: UUID, change: Change, now: datetime
) -> ConfigurationChanged:
    return ConfigurationChanged(
        event_id=new_id(), occurred_at=now, configuration_id=configuration_id, change=change
    )


def destination_changed(destination_id: UUID, change: Change, now: datetime) -> DestinationChanged:
    return DestinationChanged(
        event_id=new_id(), occurred_at=now, destination_id=destination_id, change=change
    )
