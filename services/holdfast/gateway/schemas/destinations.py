"""Destinations: how one is added, and what a test says."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.events.queries import AddDestination, UpdateDestination
from holdfast.events.run import RunStatus
from holdfast.events.views import DestinationView, RunView
from holdfast.events.work import DestinationSecrets, DestinationType
from holdfast.gateway.schemas.limits import UNLIMITED, LimitsRequest
from holdfast.gateway.schemas.text import (
    AbsolutePath,
    Name,
    OptionalWord,
    Request,
    SecretText,
    Word,
)

RunLimit = Annotated[int, msgspec.Meta(ge=1, le=64)]


class LocalDestinationRequest(Request, frozen=True, kw_only=True):
    """A path on a device: a NAS mount, a disk."""

    name: Name
    device_id: UUID
    path: AbsolutePath
    max_runs: RunLimit = 4
    """How many runs it serves at once."""
    limits: LimitsRequest = UNLIMITED
    append_only: bool = False
    """Backups go through a relay that deletes and changes nothing but restic's locks."""
    repo_password: SecretText | UnsetType = UNSET
    """Opens a repository that is there already; absent: one is made with a new password."""

    def __repr__(self) -> str:
        return f"LocalDestinationRequest(name={self.name!r}, …)"

    def secrets(self) -> DestinationSecrets:
        """What is to be sealed before it goes on the bus."""
        return DestinationSecrets(repo_password=self.repo_password or "")

    def query(self, sealed_secrets: bytes) -> AddDestination:
        """The question to the catalog."""
        return AddDestination(
            name=self.name,
            type=DestinationType.LOCAL,
            device_id=self.device_id,
            path=self.path,
            max_runs=self.max_runs,
            limits=self.limits.limits(),
            append_only=self.append_only,
            sealed_secrets=sealed_secrets,
        )


class S3DestinationRequest(Request, frozen=True, kw_only=True):
    """A bucket of an S3-compatible store."""

    name: Name
    endpoint: Word
    bucket: Word
    region: OptionalWord = ""
    access_key: SecretText
    secret_key: SecretText
    prefix: OptionalWord = ""
    max_runs: RunLimit = 4
    """How many runs it serves at once."""
    limits: LimitsRequest = UNLIMITED
    append_only: bool = False
    """Backups go through a relay that deletes and changes nothing but restic's locks."""
    repo_password: SecretText | UnsetType = UNSET
    """Opens a repository that is there already; absent: one is made with a new password."""

    def __repr__(self) -> str:
        return f"S3DestinationRequest(name={self.name!r}, …)"

    def secrets(self) -> DestinationSecrets:
        """What is to be sealed before it goes on the bus."""
        return DestinationSecrets(
            repo_password=self.repo_password or "",
            s3_access_key=self.access_key,
            s3_secret_key=self.secret_key,
        )

    def query(self, sealed_secrets: bytes) -> AddDestination:
        """The question to the catalog."""
        return AddDestination(
            name=self.name,
            type=DestinationType.S3,
            s3_endpoint=self.endpoint,
            s3_bucket=self.bucket,
            s3_region=self.region,
            s3_prefix=self.prefix,
            max_runs=self.max_runs,
            limits=self.limits.limits(),
            append_only=self.append_only,
            sealed_secrets=sealed_secrets,
        )


class DestinationPatch(Request, frozen=True, kw_only=True):
    """What is to change; what is absent stays.  What is queued goes on as it was."""

    max_runs: RunLimit | UnsetType = UNSET
    limits: LimitsRequest | UnsetType = UNSET
    """All of them: what is not in it is not limited any more."""
    append_only: bool | UnsetType = UNSET

    def query(self, destination_id: UUID) -> UpdateDestination:
        """The question to the catalog."""
        return UpdateDestination(
            destination_id=destination_id,
            max_runs=self.max_runs,
            limits=UNSET if self.limits is UNSET else self.limits.limits(),
            append_only=self.append_only,
        )


class DestinationList(msgspec.Struct, frozen=True, kw_only=True):
    """All destinations, by name."""

    destinations: tuple[DestinationView, ...]


class TestOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a destination was reached and its repository opened."""

    __test__ = False  # pytest would take the name for a test class

    success: bool
    message: str
    run_id: UUID
    code: str | None = None
    guidance: str | None = None

    @staticmethod
    def of(run: RunView) -> "TestOutcome":
        """What the probe's run came to."""
        if run.status is RunStatus.SUCCESS:
            return TestOutcome(
                success=True,
                message="The destination was reached and its repository opened.",
                run_id=run.id,
            )
        if run.failure is not None:
            return TestOutcome(
                success=False,
                message=run.failure.message,
                code=run.failure.code,
                guidance=run.failure.guidance,
                run_id=run.id,
            )
        if run.status.is_outcome:
            return TestOutcome(
                success=False,
                message=f"The test ended as {run.status.value}.",
                code=f"run_{run.status.value}",
                run_id=run.id,
            )
        return TestOutcome(
            success=False,
            message="The test has not ended yet.",
            code="still_running",
            guidance="The executor may be busy or away; the run tells how it goes on.",
            run_id=run.id,
        )
