"""Destinations."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from msgspec import UNSET, UnsetType

from holdfast.events import views
from holdfast.events.base import AwareTime
from holdfast.events.limits import NO_LIMITS, Limits
from holdfast.events.queries.base import Done, Query
from holdfast.events.work import DestinationType, ObjectLock, S3Addressing


class S3Provider(StrEnum):
    """Who runs the store; with the region it tells the endpoint, except for MinIO's."""

    B2 = "b2"
    WASABI = "wasabi"
    AWS = "aws"
    MINIO = "minio"


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
    """Of a local or SFTP one."""
    s3_endpoint: str = ""
    """Empty: the provider's own for the region."""
    s3_provider: S3Provider | None = None
    s3_bucket: str = ""
    s3_region: str = ""
    s3_prefix: str = ""
    object_lock: ObjectLock | None = None
    s3_addressing: S3Addressing = S3Addressing.AUTO
    s3_ca_certificate: str = ""
    sftp_host: str = ""
    sftp_port: int = 22
    sftp_user: str = ""
    sftp_host_key: str = ""
    """A public key or its fingerprint; empty: the first that is shown is trusted."""
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


class UpdateDestination(Query[views.DestinationChange], frozen=True, kw_only=True):
    """Change a destination; what is not set stays.

    What opens it, and the host key or certificate that it must show, is tried first, by a run:
    only when that reaches the same repository it takes the place of the old.
    """

    SUBJECT = "catalog.destination.update"
    REPLY = views.DestinationChange

    destination_id: UUID
    name: str | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    max_runs: int | UnsetType = UNSET
    limits: Limits | UnsetType = UNSET
    """All of them: what is not in it is not limited."""
    append_only: bool | UnsetType = UNSET
    s3_ca_certificate: str | UnsetType = UNSET
    sftp_host_key: str | UnsetType = UNSET
    """A public key or its fingerprint; empty: the one that is shown now is trusted."""
    sealed_secrets: bytes = b""
    """``DestinationSecrets`` sealed to the catalog; what is empty in it stays."""


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


class ImportSnapshots(Query[views.RunAccepted], frozen=True, kw_only=True):
    """Queue a run that looks which snapshots are in a destination's repository."""

    SUBJECT = "catalog.destination.import"
    REPLY = views.RunAccepted

    destination_id: UUID


class UndeleteDestination(Query[views.RunAccepted], frozen=True, kw_only=True):
    """Queue a run that undoes what was deleted or overwritten at a destination."""

    SUBJECT = "catalog.destination.undelete"
    REPLY = views.RunAccepted

    destination_id: UUID
    since: AwareTime


class HealDestination(Query[views.RunAccepted], frozen=True, kw_only=True):
    """Queue a run that repairs a destination with what the others have."""

    SUBJECT = "catalog.destination.heal"
    REPLY = views.RunAccepted

    destination_id: UUID


class TestProtection(Query[views.RunAccepted], frozen=True, kw_only=True):
    """Queue an attack on a canary at a destination."""

    __test__: ClassVar[bool] = False  # pytest would take the name for a test class
    SUBJECT = "catalog.destination.test_protection"
    REPLY = views.RunAccepted

    destination_id: UUID
