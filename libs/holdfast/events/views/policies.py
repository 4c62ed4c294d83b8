"""Policies and the configurations that tie apps to them."""

from uuid import UUID

import msgspec

from holdfast.events.base import AwareTime
from holdfast.events.consistency import Consistency
from holdfast.events.drills import DrillSettings, Proof
from holdfast.events.schedule import CatchUp
from holdfast.events.views.base import View
from holdfast.events.views.destinations import DestinationRef
from holdfast.events.work import FanOut


class KeepRules(msgspec.Struct, frozen=True, kw_only=True):
    """How many snapshots of each period are kept; all zero keeps everything."""

    keep_last: int = 0
    keep_hourly: int = 0
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    keep_yearly: int = 0


class PolicyView(View, frozen=True, kw_only=True):
    """Schedule, keep rules and destinations together."""

    id: UUID
    name: str
    description: str
    is_default: bool
    schedule: str
    timezone: str
    enabled: bool
    jitter_seconds: int
    """Each configuration starts later than due by a time of its own, shorter than this."""
    window_start: str | None
    """HH:MM in the policy's zone: scheduled runs start only from then …"""
    window_end: str | None
    """… until then; an end before the start is on the next day."""
    catch_up: CatchUp
    keep_last: int
    keep_hourly: int
    keep_daily: int
    keep_weekly: int
    keep_monthly: int
    keep_yearly: int
    fan_out: FanOut = FanOut.MIRROR
    """How a backup reaches the second and further destinations."""
    destinations: tuple[DestinationRef, ...]
    created_at: AwareTime
    updated_at: AwareTime


class ConfigurationView(View, frozen=True, kw_only=True):
    """The tie between an app and a policy."""

    id: UUID
    app_id: UUID | None
    is_system_backup: bool
    system_type: str | None
    policy_id: UUID
    backup_volumes: bool
    backup_compose: bool
    backup_env: bool
    include_paths: tuple[str, ...]
    exclude_paths: tuple[str, ...]
    consistency: Consistency = Consistency()
    drill: DrillSettings = DrillSettings()
    last_proof: Proof | None = None
    """The last drill that succeeded; None: none has yet."""
    enabled: bool
    created_at: AwareTime
    updated_at: AwareTime
