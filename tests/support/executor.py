"""An executor at work on real restic, with a bus that records and a catalog of three answers."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from holdfast.bus.testing import RecordedJob, RecordingBus
from holdfast.devices.local import LocalRunner
from holdfast.events.base import Event, Work
from holdfast.events.queries import Claim, ClaimRun, Heartbeat, HeartbeatReply, claim_purpose
from holdfast.events.run import InitResult, RunCompleted, RunProgress
from holdfast.events.snapshot import SnapshotCompleted, SnapshotFailed
from holdfast.events.views import SnapshotView
from holdfast.events.work import (
    BackupRequested,
    BackupTarget,
    DestinationAddress,
    DestinationSecrets,
    DestinationType,
    InitRequested,
)
from holdfast.executor.attempt import Deps, notes_in
from holdfast.executor.job import Desk, handle
from holdfast.executor.repositories import repository_of
from holdfast.kernel.clock import utc_now
from holdfast.kernel.ids import new_id
from holdfast.restic import Restic
from holdfast.restic.binary import find_restic
from holdfast.secretbox.envelope import ReceiverKey, seal_to
from holdfast.secretbox.tokens import new_repository_password

E = TypeVar("E", bound=Event)

OUTCOMES = (SnapshotCompleted, SnapshotFailed, RunCompleted)


async def until(condition: Callable[[], Any], *, seconds: float = 30, what: str = "") -> Any:
    """The condition's value once it is true; AssertionError after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or condition}"
        await asyncio.sleep(0.01)
    return value


class Place:
    """A destination as the catalog knows it."""

    def __init__(self, address: DestinationAddress, secrets: DestinationSecrets) -> None:
        self.address = address
        self.secrets = secrets

    @property
    def id(self) -> UUID:
        return self.address.destination_id

    def files(self, folder: str) -> list[Path]:
        """What lies in a folder of a local repository."""
        path = Path(self.address.local_path or self.address.sftp_path) / folder
        return [each for each in path.rglob("*") if each.is_file()] if path.exists() else []


def local_place(parent: Path, name: str = "nas", *, password: str = "") -> Place:
    """Not initialised yet."""
    return Place(
        DestinationAddress(
            destination_id=new_id(),
            name=name,
            type=DestinationType.LOCAL,
            local_path=str(parent / "homelab-backups"),
            cheap_key=not password,
        ),
        DestinationSecrets(repo_password=password or new_repository_password().reveal()),
    )


def s3_place(server: Any, bucket: str, name: str = "cloud") -> Place:
    """A prefix of a new bucket; not initialised yet."""
    server.make_bucket(bucket)
    return Place(
        DestinationAddress(
            destination_id=new_id(),
            name=name,
            type=DestinationType.S3,
            s3_endpoint=server.endpoint,
            s3_bucket=bucket,
            s3_region="us-east-1",
            s3_prefix="home/lab",
            cheap_key=True,
        ),
        DestinationSecrets(
            repo_password=new_repository_password().reveal(),
            s3_access_key=server.access_key,
            s3_secret_key=server.secret_key,
        ),
    )


def sftp_place(server: Any, parent: Path, name: str = "synology") -> Place:
    """Below a directory that *server* shows; not initialised yet, and its host key not known."""
    return Place(
        DestinationAddress(
            destination_id=new_id(),
            name=name,
            type=DestinationType.SFTP,
            sftp_host="127.0.0.1",
            sftp_port=server.port,
            sftp_user=server.user,
            sftp_path=str(parent / "homelab-backups"),
            cheap_key=True,
        ),
        DestinationSecrets(
            repo_password=new_repository_password().reveal(),
            sftp_private_key=server.private_key,
        ),
    )


class Bench:
    """Does work as the executor does, and keeps what it said."""

    def __init__(self, cache: Path, **deps: Any) -> None:
        self.bus = RecordingBus()
        self.places: dict[UUID, Place] = {}
        self.logins: dict[UUID, DestinationSecrets] = {}
        """Of devices."""
        self.claim = 1
        self.done: tuple[UUID, ...] = ()
        self.heartbeat = HeartbeatReply(held=True)
        self.claim_seconds = 15.0
        self.desk = Desk()
        self.deps = Deps(
            **{
                "bus": self.bus,
                "now": utc_now,
                "monotonic": time.monotonic,
                "executor_id": "test",
                "key": ReceiverKey.generate(),
                "restic": deps.get("restic") or find_restic(),
                "runner": LocalRunner(notes=notes_in(cache)),
                "site": "main",
                "slots": 2,
                "claim_seconds": self.claim_seconds,
                "cache": cache,
                "lock_wait": timedelta(0),
                **deps,
            }
        )
        self.bus.answers[ClaimRun] = self._grant
        self.bus.answers[Heartbeat] = lambda _: self.heartbeat

    def _grant(self, query: ClaimRun) -> Claim:
        secrets = {id: each.secrets for id, each in self.places.items()} | self.logins
        plain = msgspec.json.encode({str(id): each for id, each in secrets.items()})
        return Claim(
            granted=True,
            claim=self.claim,
            expires_in_seconds=self.claim_seconds,
            done_snapshot_ids=self.done,
            sealed_secrets=seal_to(
                query.public_key, plain, claim_purpose(query.run_id, self.claim)
            ),
        )

    def knows(self, *places: Place) -> "Bench":
        self.places.update({place.id: place for place in places})
        return self

    async def do(self, work: Work) -> RecordedJob:
        """The work's message, settled."""
        job = RecordedJob(work)
        await handle(job, self.deps, self.desk)
        return job

    @asynccontextmanager
    async def doing(self, work: Work) -> AsyncIterator[asyncio.Task[RecordedJob]]:
        """While the work is being done."""
        task = asyncio.create_task(self.do(work))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def outcome(self, work: Work) -> RunCompleted:
        """Do *work* to its one outcome."""
        job = await self.do(work)
        assert job.fate == ("done", None)
        found = [each for each in self.said(RunCompleted) if each.run_id == work.run_id]
        assert len(found) == 1
        return found[0]

    async def initialise(self, place: Place, *, first: Place | None = None) -> Place:
        """Make the place's repository as a run does."""
        self.knows(place)
        run = await self.outcome(init_of(place, first=first))
        assert run.failure is None, run.failure
        assert isinstance(run.result, InitResult)
        # As the catalog keeps it.
        place.address = msgspec.structs.replace(
            place.address,
            repository_id=run.result.repository_id,
            config_digest=run.result.config_digest,
            sftp_host_key=run.result.host_key,
        )
        return place

    def said(self, kind: type[E]) -> list[E]:
        return [each for each in self.bus.published if isinstance(each, kind)]

    @property
    def outcomes(self) -> list[Event]:
        """All but progress."""
        return [each for each in self.bus.published if not isinstance(each, RunProgress)]

    def restic(self, place: Place, run_id: UUID | None = None) -> Restic:
        """restic for a place, as the executor starts it."""
        repository = repository_of(
            place.address, place.secrets, self.deps.cache / str(place.id), utc_now()
        )
        return Restic(self.deps.restic, self.deps.runner, repository, run_id=str(run_id or ""))


def init_of(
    place: Place, parent: str | None = None, *, first: Place | None = None
) -> InitRequested:
    """The work of making a place's repository."""
    path = place.address.local_path or place.address.sftp_path
    above = str(Path(path).parent) if path else ""
    return InitRequested(
        event_id=new_id(),
        occurred_at=utc_now(),
        run_id=new_id(),
        site="main",
        address=place.address,
        parent_path=above if parent is None else parent,
        first=first.address if first else None,
    )


def backup_of(paths: list[Path], *places: Place, **fields: Any) -> BackupRequested:
    """The work of backing *paths* up to *places*."""
    configuration_id, run_id = new_id(), new_id()
    return BackupRequested(
        **{
            "event_id": new_id(),
            "occurred_at": utc_now(),
            "run_id": run_id,
            "site": "main",
            "configuration_id": configuration_id,
            "hostname": socket.gethostname(),
            "paths": tuple(str(path) for path in paths),
            "tags": (f"configuration:{configuration_id}", f"run:{run_id}"),
            "targets": tuple(
                BackupTarget(snapshot_id=new_id(), address=place.address) for place in places
            ),
            **fields,
        }
    )


def work_of(kind: type[Work], place: Place, **fields: Any) -> Any:
    """Any other work on one place."""
    return kind(
        **{
            "event_id": new_id(),
            "occurred_at": utc_now(),
            "run_id": new_id(),
            "site": "main",
            "address": place.address,
            **fields,
        }
    )


def row_of(event: SnapshotCompleted) -> SnapshotView:
    """The catalog's row of a snapshot that was told of."""
    return SnapshotView(
        id=event.snapshot_id,
        run_id=event.run_id,
        configuration_id=event.configuration_id,
        app_id=None,
        destination_id=event.destination_id,
        restic_snapshot_id=event.restic_snapshot_id,
        hostname=event.hostname,
        paths=event.paths,
        status=event.status,
        files_new=0,
        files_changed=0,
        files_unmodified=0,
        data_added=0,
        total_size=0,
        duration=0,
        error_message="",
        started_at=event.started_at,
        completed_at=utc_now(),
        created_at=event.started_at,
        tree=event.tree,
        way=event.way,
    )
