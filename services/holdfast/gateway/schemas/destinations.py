"""Destinations: how one is added, and what a test says."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.events.base import AwareTime
from holdfast.events.queries import (
    AddDestination,
    S3Provider,
    UndeleteDestination,
    UpdateDestination,
)
from holdfast.events.run import RunStatus
from holdfast.events.views import DestinationView, RunView
from holdfast.events.work import (
    DestinationSecrets,
    DestinationType,
    LockMode,
    ObjectLock,
    S3Addressing,
)
from holdfast.gateway.schemas.limits import UNLIMITED, LimitsRequest
from holdfast.gateway.schemas.text import (
    AbsolutePath,
    AnyPath,
    Certificates,
    HostKey,
    KeyText,
    Name,
    OptionalWord,
    Port,
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


class ObjectLockRequest(Request, frozen=True, kw_only=True):
    """What is written cannot be deleted for so long; the bucket must have Object Lock."""

    mode: LockMode
    days: Annotated[int, msgspec.Meta(ge=1, le=3650)]
    """An attack finds at least half of them; so long you have to notice it."""


class S3DestinationRequest(Request, frozen=True, kw_only=True):
    """A bucket of an S3-compatible store.

    `endpoint` may be left out for a provider whose hosts are known by their region.
    """

    name: Name
    endpoint: Word | UnsetType = UNSET
    provider: S3Provider | UnsetType = UNSET
    bucket: Word
    region: OptionalWord = ""
    addressing: S3Addressing = S3Addressing.AUTO
    """Where the bucket's name goes: in the path, or in front of the host."""
    ca_certificate: Certificates = ""
    """Of the authority that signed the endpoint's own; then nothing else is trusted for it."""
    access_key: SecretText
    secret_key: SecretText
    prefix: OptionalWord = ""
    object_lock: ObjectLockRequest | None = None
    maintenance_access_key: SecretText | UnsetType = UNSET
    """With its secret: another key for all that deletes, so that the first need not be able to."""
    maintenance_secret_key: SecretText | UnsetType = UNSET
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
            s3_maintenance_access_key=self.maintenance_access_key or "",
            s3_maintenance_secret_key=self.maintenance_secret_key or "",
        )

    def query(self, sealed_secrets: bytes) -> AddDestination:
        """The question to the catalog."""
        return AddDestination(
            name=self.name,
            type=DestinationType.S3,
            s3_endpoint=self.endpoint or "",
            s3_provider=self.provider or None,
            s3_bucket=self.bucket,
            s3_region=self.region,
            s3_prefix=self.prefix,
            object_lock=(
                None
                if self.object_lock is None
                else ObjectLock(mode=self.object_lock.mode, days=self.object_lock.days)
            ),
            s3_addressing=self.addressing,
            s3_ca_certificate=self.ca_certificate,
            max_runs=self.max_runs,
            limits=self.limits.limits(),
            append_only=self.append_only,
            sealed_secrets=sealed_secrets,
        )


class SftpDestinationRequest(Request, frozen=True, kw_only=True):
    """A directory of another machine, reached over SSH."""

    name: Name
    host: Word
    port: Port = 22
    user: Name
    path: AnyPath
    """The directory on the server; without a slash in front it is below the user's home."""
    password: SecretText | UnsetType = UNSET
    private_key: KeyText | UnsetType = UNSET
    """In OpenSSH's or PEM form; one of password and private_key is needed."""
    passphrase: SecretText | UnsetType = UNSET
    """Opens the private key, if it is encrypted."""
    host_key: HostKey | UnsetType = UNSET
    """What the server must show; absent: what it shows now is trusted, and pinned."""
    max_runs: RunLimit = 4
    """How many runs it serves at once."""
    limits: LimitsRequest = UNLIMITED
    append_only: bool = False
    """Backups go through a relay that deletes and changes nothing but restic's locks."""
    repo_password: SecretText | UnsetType = UNSET
    """Opens a repository that is there already; absent: one is made with a new password."""

    def __repr__(self) -> str:
        return f"SftpDestinationRequest(name={self.name!r}, …)"

    def secrets(self) -> DestinationSecrets:
        """What is to be sealed before it goes on the bus."""
        return DestinationSecrets(
            repo_password=self.repo_password or "",
            sftp_password=self.password or "",
            sftp_private_key=self.private_key or "",
            sftp_passphrase=self.passphrase or "",
        )

    def query(self, sealed_secrets: bytes) -> AddDestination:
        """The question to the catalog."""
        return AddDestination(
            name=self.name,
            type=DestinationType.SFTP,
            path=self.path,
            sftp_host=self.host,
            sftp_port=self.port,
            sftp_user=self.user,
            sftp_host_key=self.host_key or "",
            max_runs=self.max_runs,
            limits=self.limits.limits(),
            append_only=self.append_only,
            sealed_secrets=sealed_secrets,
        )


NewDestinationRequest = LocalDestinationRequest | S3DestinationRequest | SftpDestinationRequest


class DestinationPatch(Request, frozen=True, kw_only=True):
    """What is to change; what is absent stays.

    Credentials, certificate and host key are tried first: they replace the old ones only when
    they reach the same repository.  The other fields change at once.
    """

    name: Name | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    """Backups leave out a destination that is not; restores still work."""
    max_runs: RunLimit | UnsetType = UNSET
    limits: LimitsRequest | UnsetType = UNSET
    """All of them: what is not in it is not limited any more."""
    append_only: bool | UnsetType = UNSET
    access_key: SecretText | UnsetType = UNSET
    secret_key: SecretText | UnsetType = UNSET
    maintenance_access_key: SecretText | UnsetType = UNSET
    maintenance_secret_key: SecretText | UnsetType = UNSET
    ca_certificate: Certificates | UnsetType = UNSET
    """Empty: what the machine trusts."""
    password: SecretText | UnsetType = UNSET
    """Takes the place of a private key."""
    private_key: KeyText | UnsetType = UNSET
    """Takes the place of a password."""
    passphrase: SecretText | UnsetType = UNSET
    host_key: HostKey | UnsetType = UNSET
    """Empty: what the server shows now is trusted, and pinned."""
    repo_password: SecretText | UnsetType = UNSET
    """If it was changed by other means than Holdfast."""

    def __repr__(self) -> str:
        return "DestinationPatch(…)"

    def secrets(self) -> DestinationSecrets:
        """What is to be sealed before it goes on the bus."""
        return DestinationSecrets(
            repo_password=self.repo_password or "",
            s3_access_key=self.access_key or "",
            s3_secret_key=self.secret_key or "",
            s3_maintenance_access_key=self.maintenance_access_key or "",
            s3_maintenance_secret_key=self.maintenance_secret_key or "",
            sftp_password=self.password or "",
            sftp_private_key=self.private_key or "",
            sftp_passphrase=self.passphrase or "",
        )

    def query(self, destination_id: UUID, sealed_secrets: bytes) -> UpdateDestination:
        """The question to the catalog."""
        return UpdateDestination(
            destination_id=destination_id,
            name=self.name,
            enabled=self.enabled,
            max_runs=self.max_runs,
            s3_ca_certificate=self.ca_certificate,
            sftp_host_key=self.host_key,
            limits=UNSET if self.limits is UNSET else self.limits.limits(),
            append_only=self.append_only,
            sealed_secrets=sealed_secrets,
        )


class RemovedDestination(msgspec.Struct, frozen=True, kw_only=True):
    """A destination is out of use; what became of its data."""

    id: UUID
    data_kept: bool
    message: str

    @staticmethod
    def of(view: DestinationView) -> "RemovedDestination":
        """Holdfast never deletes a repository: that is for a person to do, at the place."""
        place = {
            DestinationType.LOCAL: f"{view.local_path} on its device",
            DestinationType.S3: f"{view.s3_prefix or '(the top)'} of the bucket {view.s3_bucket}",
            DestinationType.SFTP: f"{view.sftp_path} on {view.sftp_host}",
        }[view.type]
        return RemovedDestination(
            id=view.id,
            data_kept=True,
            message=f"{view.name} is out of use. Its repository and all {view.total_snapshots} "
            f"snapshots stay at {place}; they can still be restored. "
            "To free the space, delete it there yourself.",
        )


class UndeleteRequest(Request, frozen=True, kw_only=True):
    """Undo what was deleted or overwritten."""

    since: AwareTime
    """Just before it happened, with its zone."""

    def query(self, destination_id: UUID) -> UndeleteDestination:
        """The question to the catalog."""
        return UndeleteDestination(destination_id=destination_id, since=self.since)


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
