"""Policies."""

from uuid import UUID

from msgspec import UNSET, UnsetType

from holdfast.events import views
from holdfast.events.queries.base import Done, Query
from holdfast.events.schedule import CatchUp
from holdfast.events.work import FanOut


class CreatePolicy(Query[views.PolicyView], frozen=True, kw_only=True):
    """Make a policy."""

    SUBJECT = "catalog.policy.create"
    REPLY = views.PolicyView

    name: str
    schedule: str
    description: str = ""
    timezone: str = ""
    """IANA name; empty: the instance's own."""
    enabled: bool = True
    is_default: bool = False
    jitter_seconds: int = 0
    window_start: str | None = None
    window_end: str | None = None
    catch_up: CatchUp = CatchUp.RUN_ONCE
    fan_out: FanOut = FanOut.MIRROR
    keep: views.KeepRules = views.KeepRules()
    destination_ids: tuple[UUID, ...] = ()


class ListPolicies(Query[tuple[views.PolicyView, ...]], frozen=True, kw_only=True):
    """All policies, by name."""

    SUBJECT = "catalog.policy.list"
    REPLY = tuple[views.PolicyView, ...]


class GetPolicy(Query[views.PolicyView], frozen=True, kw_only=True):
    """One policy."""

    SUBJECT = "catalog.policy.get"
    REPLY = views.PolicyView

    policy_id: UUID


class UpdatePolicy(Query[views.PolicyView], frozen=True, kw_only=True):
    """Change what is set, leave what is not."""

    SUBJECT = "catalog.policy.update"
    REPLY = views.PolicyView

    policy_id: UUID
    name: str | UnsetType = UNSET
    schedule: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    timezone: str | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    is_default: bool | UnsetType = UNSET
    jitter_seconds: int | UnsetType = UNSET
    window_start: str | UnsetType | None = UNSET
    window_end: str | UnsetType | None = UNSET
    catch_up: CatchUp | UnsetType = UNSET
    fan_out: FanOut | UnsetType = UNSET
    keep_last: int | UnsetType = UNSET
    keep_hourly: int | UnsetType = UNSET
    keep_daily: int | UnsetType = UNSET
    keep_weekly: int | UnsetType = UNSET
    keep_monthly: int | UnsetType = UNSET
    keep_yearly: int | UnsetType = UNSET
    destination_ids: tuple[UUID, ...] | UnsetType = UNSET


class DeletePolicy(Query[Done], frozen=True, kw_only=True):
    """Delete a policy that no configuration uses and that is not the default."""

    SUBJECT = "catalog.policy.delete"
    REPLY = Done

    policy_id: UUID
