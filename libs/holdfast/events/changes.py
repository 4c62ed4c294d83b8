"""The catalog's word that a setting is different from now on."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from holdfast.events.base import Event


class Change(StrEnum):
    """What became of it."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


class PolicyChanged(Event, frozen=True, kw_only=True):
    """A policy was made, changed or deleted."""

    TYPE: ClassVar[str] = "policy.changed"

    policy_id: UUID
    change: Change


class ConfigurationChanged(Event, frozen=True, kw_only=True):
    """A configuration was made, changed or deleted."""

    TYPE: ClassVar[str] = "configuration.changed"

    configuration_id: UUID
    change: Change


class DestinationChanged(Event, frozen=True, kw_only=True):
    """A destination was added, changed or removed."""

    TYPE: ClassVar[str] = "destination.changed"

    destination_id: UUID
    change: Change
