"""One claimed run: what an operation has at hand while it works."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from holdfast.devices.base import Runner
from holdfast.events.base import Event, Work
from holdfast.events.queries import Claim, Query
from holdfast.events.work import DestinationAddress, DestinationSecrets
from holdfast.executor.hold import Hold, Reason, StoppedError
from holdfast.executor.progress import Progress
from holdfast.executor.repositories import (
    objects_of,
    repository_of,
    secrets_in,
    storage_of,
    target_of,
    vault_of,
)
from holdfast.executor.watches import EngineWatches
from holdfast.kernel.clock import Now
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.secret import Secret
from holdfast.restic import Restic
from holdfast.secretbox.envelope import ReceiverKey
from holdfast.settings import Settings
from holdfast.storage.base import Backend
from holdfast.storage.objects import Objects
from holdfast.storage.rclone import find_rclone, purge
from holdfast.storage.relay import Relay, open_relay
from holdfast.storage.s3_lock import S3Vault
from holdfast.telemetry.logs import Log

if TYPE_CHECKING:  # it loads asyncssh, which takes 0.2 s: only who meets a device does that
    from holdfast.devices.host import Host

R = TypeVar("R")
log = Log("executor")

PATIENCE_SECONDS = (0.2, 0.5, 1.0, 2.0)
"""Between attempts to reach the bus or the catalog; the last one again and again."""


class SecretsMissingError(HoldfastError):
    """The catalog gave no secrets for this destination."""

    code = "secrets_missing"
    guidance = "Add the destination again with its password."


def notes_in(cache: Path) -> Path:
    """Where each restic of ours has a note while it lives: see ``holdfast.devices.holders``."""
    return cache / "restics"


@dataclass(frozen=True, kw_only=True)
class Deps:
    """What the executor is made of."""

    bus: Any
    """``holdfast.bus.Bus``, or one that records."""
    now: Now
    monotonic: Callable[[], float]
    executor_id: str
    key: ReceiverKey
    restic: Path
    runner: Runner
    site: str
    slots: int
    claim_seconds: float
    cache: Path
    rclone: Path | None = None
    """None: the one beside Python, or on PATH."""
    app_lease_seconds: int = 60
    """An app that is stopped for a backup comes back so long after our last sign of life."""
    lock_wait: timedelta = timedelta(hours=1)
    """How long a run waits for the lock of a living one before it fails."""
    lock_poll_seconds: float = 20.0
    """A run that waits looks again after so long."""

    platform: Settings | None = None
    """What is in force here: it is backed up as a part of Holdfast itself."""
    watches: EngineWatches | None = None
    """Ears at the engines of devices; None: nobody listens."""

    @property
    def notes(self) -> Path:
        """The notes of the restics that live."""
        return notes_in(self.cache)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A run that is ours for now."""

    deps: Deps
    work: Work
    claim: Claim
    secrets: Mapping[UUID, DestinationSecrets] | HoldfastError
    """What opens each destination, or why that is not known."""
    hold: Hold
    progress: Progress
    started_at: datetime
    host: "Host | None" = None
    """The device where the run's files are; None: this machine."""

    @property
    def is_takeover(self) -> bool:
        """Whether another attempt may have left something behind."""
        return self.claim.claim > 1

    @property
    def cache_there(self) -> str:
        """Our private directory where the run's files are."""
        return str(self.deps.cache) if self.host is None else self.host.cache

    def restic(self, address: DestinationAddress) -> Restic:
        """restic for the repository at *address*.  It does not wait for a lock: the run does."""
        cache = self.deps.cache / str(address.destination_id)
        return Restic(
            self.deps.restic,
            self.deps.runner,
            repository_of(address, self.secrets_of(address), cache, self.deps.now()),
            run_id=str(self.work.run_id),
        )

    def storage(self, address: DestinationAddress, *, parent: str = "") -> Backend:
        """The place itself, without restic; see ``storage_of``."""
        return storage_of(address, self.secrets_of(address), parent=parent)

    def upkeep(self, address: DestinationAddress, *, parent: str = "") -> Backend:
        """The same with the keys that may delete, if the run was given any of their own."""
        return storage_of(address, self.secrets_of(address).maintenance(), parent=parent)

    def has_maintenance(self, address: DestinationAddress) -> bool:
        """Whether it was."""
        return self.secrets_of(address).has_maintenance

    def vault(self, address: DestinationAddress) -> S3Vault:
        """Its objects with all their versions; see ``vault_of``."""
        return vault_of(address, self.secrets_of(address).maintenance())

    def objects(self, address: DestinationAddress) -> AbstractAsyncContextManager[Objects]:
        """The repository's objects, without restic; see ``objects_of``."""
        return objects_of(address, self.secrets_of(address))

    def password(self, address: DestinationAddress) -> Secret:
        """What opens the repository's keys."""
        return Secret(self.secrets_of(address).repo_password)

    def relay(
        self, address: DestinationAddress, *, append_only: bool
    ) -> AbstractAsyncContextManager[Relay]:
        """A relay to the storage while the block lasts.  Raises as ``open_relay``."""
        return open_relay(
            find_rclone(self.deps.rclone),
            self.deps.runner,
            target_of(address, self.secrets_of(address)),
            append_only=append_only,
            run_id=str(self.work.run_id),
        )

    async def purge(self, address: DestinationAddress, folder: str) -> None:
        """Delete a folder of ours at the destination.  Raises as ``purge``."""
        target = target_of(address, self.secrets_of(address))
        rclone = find_rclone(self.deps.rclone)
        await purge(rclone, self.deps.runner, target, folder, run_id=str(self.work.run_id))

    def all_secrets(self) -> list[Secret]:
        """What must be in no text."""
        if isinstance(self.secrets, HoldfastError):
            return []
        passing = [
            Secret(password)
            for each in self.secrets.values()
            for password in (each.next_password, each.old_password)
            if password
        ]
        return passing + [each for one in self.secrets.values() for each in secrets_in(one)]

    async def say(self, event: Event) -> None:
        """Publish an outcome, again and again until it is kept.

        Raises StoppedError when the run is another's, or this process ends first.
        """
        await self.persist(lambda: self.deps.bus.publish(event))

    async def ask(self, query: Query[R]) -> R:
        """The catalog's answer, however long it is away.  Raises as ``say``."""
        return await self.persist(lambda: self.deps.bus.request(query))

    async def persist(self, action: Callable[[], Awaitable[R]]) -> R:
        """Do *action* until it does not find a part of Holdfast away."""
        for attempt in range(1_000_000):
            if self.hold.fenced:
                raise StoppedError(Reason.FENCED)
            try:
                return await action()
            except HoldfastError as error:
                if not error.retryable:
                    raise
                log.warning("outcome_waits", run_id=str(self.work.run_id), error=str(error))
            if self.hold.leaving:
                raise StoppedError(Reason.LEAVING)
            await self.hold.pause(PATIENCE_SECONDS[min(attempt, len(PATIENCE_SECONDS) - 1)])
        raise AssertionError("unreachable")

    def secrets_for(self, id: UUID) -> DestinationSecrets:
        """What opens a destination, or a device.  Raises SecretsMissingError."""
        if isinstance(self.secrets, HoldfastError):
            raise self.secrets
        try:
            return self.secrets[id]
        except KeyError:
            raise SecretsMissingError(detail=str(id)) from None

    def secrets_of(self, address: DestinationAddress) -> DestinationSecrets:
        """What opens a destination.  Raises SecretsMissingError."""
        return self.secrets_for(address.destination_id)


async def in_thread(action: Callable[[], R]) -> R:
    """Look at files without holding up the heartbeat: a dead mount may block for minutes."""
    return await asyncio.to_thread(action)
