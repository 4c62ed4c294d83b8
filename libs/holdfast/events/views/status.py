"""How the house stands."""

from enum import StrEnum
from uuid import UUID

from holdfast.events.base import AwareTime
from holdfast.events.run import RunStatus
from holdfast.events.views.base import View
from holdfast.events.views.destinations import DestinationView


class AppStatus(View, frozen=True, kw_only=True):
    """How well one app is protected."""

    app_id: UUID
    name: str
    configuration_id: UUID | None
    last_success_at: AwareTime | None
    last_status: RunStatus | None
    next_due_at: AwareTime | None = None


class RecoveryKitState(StrEnum):
    """Whether there is a recovery kit that opens every destination in use."""

    NOT_NEEDED = "not_needed"
    """No destination is in use."""
    NEVER_MADE = "never_made"
    OUTDATED = "outdated"
    """A destination, or a repository password, is newer."""
    CURRENT = "current"


class RecoveryKitStatus(View, frozen=True, kw_only=True):
    """How it stands with the recovery kit."""

    state: RecoveryKitState
    made_at: AwareTime | None = None
    """When it was last handed out."""


class StatusView(View, frozen=True, kw_only=True):
    """The whole house at a glance."""

    apps: tuple[AppStatus, ...]
    destinations: tuple[DestinationView, ...]
    runs_active: int
    runs_queued: int
    recovery_kit: RecoveryKitStatus
    events_set_aside: int = 0
    """Events that could never be sent: the log and the outbox say why."""
