"""Configurations: which app is backed up by which policy, and how much of it."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.events.consistency import Consistency
from holdfast.events.drills import DrillSettings
from holdfast.events.queries import CreateConfiguration, StartDrill, UpdateConfiguration
from holdfast.events.views import ConfigurationView
from holdfast.gateway.schemas.text import AnyPath, Request

Paths = Annotated[tuple[AnyPath, ...], msgspec.Meta(max_length=1000)]


class ConfigurationRequest(Request, frozen=True, kw_only=True):
    """Tie an app to a policy; without a policy, to the default one."""

    app_id: UUID
    policy_id: UUID | None = None
    backup_volumes: bool = True
    backup_compose: bool = True
    backup_env: bool = True
    include_paths: Paths = ()
    exclude_paths: Paths = ()
    consistency: Consistency = Consistency()
    drill: DrillSettings = DrillSettings()
    enabled: bool = True

    def query(self) -> CreateConfiguration:
        """The question to the catalog; the fields have the same names there."""
        return CreateConfiguration(**msgspec.structs.asdict(self))


class ConfigurationPatch(Request, frozen=True, kw_only=True):
    """What is to change; what is absent stays."""

    policy_id: UUID | UnsetType = UNSET
    backup_volumes: bool | UnsetType = UNSET
    backup_compose: bool | UnsetType = UNSET
    backup_env: bool | UnsetType = UNSET
    include_paths: Paths | UnsetType = UNSET
    exclude_paths: Paths | UnsetType = UNSET
    consistency: Consistency | UnsetType = UNSET
    """Given, it is all of it: what is absent in it has its default."""
    drill: DrillSettings | UnsetType = UNSET
    """The same."""
    enabled: bool | UnsetType = UNSET

    def query(self, configuration_id: UUID) -> UpdateConfiguration:
        """The question to the catalog; the fields have the same names there."""
        return UpdateConfiguration(
            configuration_id=configuration_id, **msgspec.structs.asdict(self)
        )


class DrillRequest(Request, frozen=True, kw_only=True):
    """Which snapshot is to be proved restorable; none: the newest."""

    snapshot_id: UUID | None = None

    def query(self, configuration_id: UUID) -> StartDrill:
        """The question to the catalog."""
        return StartDrill(configuration_id=configuration_id, snapshot_id=self.snapshot_id)


class ConfigurationList(msgspec.Struct, frozen=True, kw_only=True):
    """Configurations, oldest first."""

    configurations: tuple[ConfigurationView, ...]
