"""Configurations."""

from uuid import UUID

from msgspec import UNSET, UnsetType

from holdfast.events import views
from holdfast.events.consistency import Consistency
from holdfast.events.drills import DrillSettings
from holdfast.events.queries.base import Done, Query


class CreateConfiguration(Query[views.ConfigurationView], frozen=True, kw_only=True):
    """Tie an app to a policy; the same tie twice is the one that exists, changed."""

    SUBJECT = "catalog.configuration.create"
    REPLY = views.ConfigurationView

    app_id: UUID
    policy_id: UUID | None = None
    """None: the default policy."""
    backup_volumes: bool = True
    backup_compose: bool = True
    backup_env: bool = True
    include_paths: tuple[str, ...] = ()
    exclude_paths: tuple[str, ...] = ()
    consistency: Consistency = Consistency()
    drill: DrillSettings = DrillSettings()
    enabled: bool = True


class ListConfigurations(Query[tuple[views.ConfigurationView, ...]], frozen=True, kw_only=True):
    """All configurations, or those of an app, oldest first."""

    SUBJECT = "catalog.configuration.list"
    REPLY = tuple[views.ConfigurationView, ...]

    app_id: UUID | None = None


class GetConfiguration(Query[views.ConfigurationView], frozen=True, kw_only=True):
    """One configuration."""

    SUBJECT = "catalog.configuration.get"
    REPLY = views.ConfigurationView

    configuration_id: UUID


class UpdateConfiguration(Query[views.ConfigurationView], frozen=True, kw_only=True):
    """Change what is set, leave what is not."""

    SUBJECT = "catalog.configuration.update"
    REPLY = views.ConfigurationView

    configuration_id: UUID
    policy_id: UUID | UnsetType = UNSET
    backup_volumes: bool | UnsetType = UNSET
    backup_compose: bool | UnsetType = UNSET
    backup_env: bool | UnsetType = UNSET
    include_paths: tuple[str, ...] | UnsetType = UNSET
    exclude_paths: tuple[str, ...] | UnsetType = UNSET
    consistency: Consistency | UnsetType = UNSET
    drill: DrillSettings | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class DeleteConfiguration(Query[Done], frozen=True, kw_only=True):
    """Delete a configuration; its snapshots stay and can be restored."""

    SUBJECT = "catalog.configuration.delete"
    REPLY = Done

    configuration_id: UUID


class StartDrill(Query[views.RunAccepted], frozen=True, kw_only=True):
    """Prove now that a configuration's newest snapshot, or another, can be restored."""

    SUBJECT = "catalog.configuration.drill"
    REPLY = views.RunAccepted

    configuration_id: UUID
    snapshot_id: UUID | None = None
    """None: the newest, at the destination that was not drilled for the longest time."""
