"""Policies: schedule, keep rules and destinations."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.events.queries import CreatePolicy, UpdatePolicy
from holdfast.events.schedule import CatchUp
from holdfast.events.views import KeepRules, PolicyView
from holdfast.events.work import FanOut
from holdfast.gateway.schemas.text import (
    ClockText,
    Count,
    CronText,
    Jitter,
    Name,
    Request,
    Text,
    ZoneName,
)

DestinationIds = Annotated[tuple[UUID, ...], msgspec.Meta(max_length=100)]


class PolicyRequest(Request, frozen=True, kw_only=True):
    """A new policy.  All keep rules zero keeps every snapshot."""

    name: Name
    schedule: CronText
    description: Text = ""
    timezone: ZoneName = ""
    enabled: bool = True
    is_default: bool = False
    jitter_seconds: Jitter = 0
    window_start: ClockText | None = None
    window_end: ClockText | None = None
    catch_up: CatchUp = CatchUp.RUN_ONCE
    fan_out: FanOut = FanOut.MIRROR
    keep_last: Count = 0
    keep_hourly: Count = 0
    keep_daily: Count = 0
    keep_weekly: Count = 0
    keep_monthly: Count = 0
    keep_yearly: Count = 0
    destination_ids: DestinationIds = ()

    def query(self) -> CreatePolicy:
        """The question to the catalog."""
        return CreatePolicy(
            name=self.name,
            schedule=self.schedule,
            description=self.description,
            timezone=self.timezone,
            enabled=self.enabled,
            is_default=self.is_default,
            jitter_seconds=self.jitter_seconds,
            window_start=self.window_start,
            window_end=self.window_end,
            catch_up=self.catch_up,
            fan_out=self.fan_out,
            keep=KeepRules(
                keep_last=self.keep_last,
                keep_hourly=self.keep_hourly,
                keep_daily=self.keep_daily,
                keep_weekly=self.keep_weekly,
                keep_monthly=self.keep_monthly,
                keep_yearly=self.keep_yearly,
            ),
            destination_ids=self.destination_ids,
        )


class PolicyPatch(Request, frozen=True, kw_only=True):
    """What is to change; what is absent stays."""

    name: Name | UnsetType = UNSET
    schedule: CronText | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    timezone: ZoneName | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    is_default: bool | UnsetType = UNSET
    jitter_seconds: Jitter | UnsetType = UNSET
    window_start: ClockText | UnsetType | None = UNSET
    window_end: ClockText | UnsetType | None = UNSET
    catch_up: CatchUp | UnsetType = UNSET
    fan_out: FanOut | UnsetType = UNSET
    keep_last: Count | UnsetType = UNSET
    keep_hourly: Count | UnsetType = UNSET
    keep_daily: Count | UnsetType = UNSET
    keep_weekly: Count | UnsetType = UNSET
    keep_monthly: Count | UnsetType = UNSET
    keep_yearly: Count | UnsetType = UNSET
    destination_ids: DestinationIds | UnsetType = UNSET

    def query(self, policy_id: UUID) -> UpdatePolicy:
        """The question to the catalog; the fields have the same names there."""
        return UpdatePolicy(policy_id=policy_id, **msgspec.structs.asdict(self))


class PolicyList(msgspec.Struct, frozen=True, kw_only=True):
    """All policies, by name."""

    policies: tuple[PolicyView, ...]
