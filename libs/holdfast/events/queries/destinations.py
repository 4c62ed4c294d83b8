"""Destinations."""

from typing import ClassVar
from uuid import UUID

from msgspec import UNSET, UnsetType

from holdfast.events import views
from holdfast.events.limits import NO_LIMITS, Limits
from holdfast.events.queries.base import Done, Query
from holdfast.events.work import DestinationType


class AddDestination(Query[views.RunAccepted], frozen=True, kw_only=True):
    """Queue the run that tests a destination and initialises its repository.

    Until that run succeeds the destination is not listed; when it fails nothing stays.
    """

    SUBJECT = "catalog.destination.add"
    REPLY = views.RunAccepted

    name: str
    type: DestinationType
    device_id: UUID | None = None
    path: str = ""
    s3_endpoint: str = ""
    s3_bucket: str = ""
    s3_region: str = ""
    s3_prefix: str = ""
    max_runs: int = 4
    """How many runs it serves at once."""
    limits: Limits = NO_LIMITS
    append_only: bool = False
    """Backups go through a relay that deletes and changes nothing but restic's locks."""
    sealed_secrets: bytes = b""
    """``DestinationSecrets`` sealed to the catalog; an empty password in it means: make one."""


class ListDestinations(Query[tuple[views.DestinationView, ...]], frozen=True, kw_only=True):
    """All destinations, by name."""

    SUBJECT = "catalog.destination.list"
    REPLY = tuple[views.DestinationView, ...]


class GetDestination(Query[views.DestinationView], frozen=True, kw_only=True):
    """One destination."""

    SUBJECT = "catalog.destination.get"
    REPLY = views.DestinationView

    destination_id: UUID


class UpdateDestination(Query[views.DestinationView], frozen=True, kw_only=True):
    """Change how a destination is used; what is not set stays, what is queued goes on as it was."""

    SUBJECT = "catalog.destination.update"
    REPLY = views.DestinationView

    destination_id: UUID
    max_runs: int | UnsetType = UNSET
    limits: Limits | UnsetType = UNSET
    """All of them: what is not in it is not limited."""
    append_only: bool | UnsetType = UNSET


class RemoveDestination(Query[Done], frozen=True, kw_only=True):
    """Take a destination out of use.  Its data is left where it is."""

    SUBJECT = "catalog.destination.remove"
    REPLY = Done

    destination_id: UUID
    detach: bool = False
    """Take it out of the policies that use it; otherwise that is a conflict."""


class TestDestination(Query[views.RunAccepted], frozen=True, kw_only=True):
    """Queue a probe of a destination."""

    __test__: ClassVar[bool] = False  # pytest would take the name for a test class
    SUBJECT = "catalog.destination.test"
    REPLY = views.RunAccepted

    destination_id: UUID


class TestProtection(Query[views.RunAccepted], frozen=True, kw_only=True):
    """Queue an attack on a canary at a destination."""

    __test__: ClassVar[bool] = False  # pytest would take the name for a test class
    SUBJECT = "catalog.destination.test_protection"
    REPLY = views.RunAccepted

    destination_id: UUID
