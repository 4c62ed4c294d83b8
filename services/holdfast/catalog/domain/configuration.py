"""What a configuration may say: which policy, and what of the app is read."""

from uuid import UUID

import msgspec
from msgspec import UNSET

from holdfast.catalog.domain.consistency import checked_consistency
from holdfast.catalog.domain.drill import checked_drill
from holdfast.catalog.domain.paths import data_paths, exclude_patterns
from holdfast.events.consistency import Consistency
from holdfast.events.drills import DrillSettings
from holdfast.events.queries import UpdateConfiguration


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What a person decides about a configuration."""

    policy_id: UUID
    backup_volumes: bool
    backup_compose: bool
    backup_env: bool
    include_paths: tuple[str, ...]
    exclude_paths: tuple[str, ...]
    consistency: Consistency = Consistency()
    drill: DrillSettings = DrillSettings()
    enabled: bool


def checked(scope: Scope) -> Scope:
    """*scope* with its paths normalised; InvalidRequestError names the field."""
    return msgspec.structs.replace(
        scope,
        include_paths=data_paths(scope.include_paths, "include_paths"),
        exclude_paths=exclude_patterns(scope.exclude_paths, "exclude_paths"),
        consistency=checked_consistency(scope.consistency),
        drill=checked_drill(scope.drill),
    )


def changed(scope: Scope, query: UpdateConfiguration) -> Scope:
    """*scope* with what *query* sets; nothing is checked yet."""
    fields = {
        field: value
        for field in Scope.__struct_fields__
        if (value := getattr(query, field)) is not UNSET
    }
    return msgspec.structs.replace(scope, **fields)


def restarts_schedule(old: Scope, new: Scope) -> bool:
    """Whether only times from now on count as due: it was off, or followed another policy."""
    return new.policy_id != old.policy_id or (new.enabled and not old.enabled)
