"""Questions to the catalog, and the two that take longer: add a destination, wait for a run."""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar
from uuid import UUID

import msgspec

from holdfast.events.queries import GetDestination, GetIdentity, Query, WaitForRun
from holdfast.events.run import RunStatus
from holdfast.events.views import DestinationView, RunView
from holdfast.events.work import DestinationSecrets
from holdfast.gateway.errors import RunOutOfSightError, StillRunningError, adding_failed
from holdfast.gateway.schemas.destinations import DestinationPatch, NewDestinationRequest
from holdfast.kernel.errors import UnavailableError
from holdfast.kernel.pause import pause
from holdfast.secretbox.envelope import seal_to

R = TypeVar("R")

ASK_SECONDS = 5.0
"""The catalog answers in milliseconds; that it is away should be known soon."""

WAIT_STEP_SECONDS = 10.0
WAIT_SECONDS = 120.0
"""How long a request waits for a run that adds or tests a destination."""

PATIENCE_SECONDS = 15.0
"""A run goes on while the catalog restarts; so does waiting for it."""

PAUSE_SECONDS = 1.0
"""Between two questions while the catalog is away."""

SECRETS_PURPOSE = "destination-secrets"


class Asks(Protocol):
    """What is needed of the bus."""

    @property
    def connected(self) -> bool: ...

    async def request(self, query: Query[R], *, timeout: float = ...) -> R: ...


class CatalogClient:
    """The gateway's one way to the catalog."""

    def __init__(self, bus: Asks, stopping: asyncio.Event, monotonic: Callable[[], float]) -> None:
        self._bus = bus
        self._stopping = stopping
        self._monotonic = monotonic

    async def ask(self, query: Query[R], seconds: float = ASK_SECONDS) -> R:
        """Ask; what the catalog raises is raised here.  Raises UnavailableError at once
        when the bus is away, for a question would only sit in its buffer."""
        if not self._bus.connected:
            raise UnavailableError("The bus is not connected.")
        return await self._bus.request(query, timeout=seconds)

    async def wait_for_run(self, run_id: UUID, within_seconds: float | None) -> RunView:
        """The run once it has ended, or as it stands after *within_seconds*; None: however long.

        Raises StillRunningError when this process ends meanwhile, RunOutOfSightError when
        the catalog stays away for long; both name the run.
        """
        start = seen = self._monotonic()
        while True:
            now = self._monotonic()
            left = WAIT_STEP_SECONDS
            if within_seconds is not None:
                left = min(left, max(0.0, start + within_seconds - now))
            try:
                run = await self._unless_stopping(run_id, left)
                seen = self._monotonic()
            except UnavailableError as error:
                if self._monotonic() - seen > PATIENCE_SECONDS:
                    raise RunOutOfSightError(run_id) from error
                await pause(self._stopping, seconds=PAUSE_SECONDS)
                continue
            if run.status.is_outcome or left == 0:
                return run

    async def add_destination(self, request: NewDestinationRequest) -> DestinationView:
        """Queue the run that tests and initialises a destination, and see it through.

        Raises RunError (4xx, the failure's own code) or StillRunningError.
        """
        accepted = await self.ask(request.query(await self.sealed(request.secrets())))
        run = await self._see_through(accepted.run_id)
        destination_id = accepted.destination_id or run.destination_ids[0]
        return await self.ask(GetDestination(destination_id=destination_id))

    async def change_destination(
        self, destination_id: UUID, request: DestinationPatch
    ) -> DestinationView:
        """Change a destination, and see the run through that tries new credentials.

        Raises as ``add_destination``; then the old credentials stay.
        """
        sealed = await self.sealed(request.secrets())
        change = await self.ask(request.query(destination_id, sealed))
        if change.run_id is None:
            return change.destination
        await self._see_through(change.run_id)
        return await self.ask(GetDestination(destination_id=destination_id))

    async def sealed(self, secrets: DestinationSecrets | None) -> bytes:
        """What only the catalog can open; nothing of nothing."""
        if secrets is None:
            return b""
        identity = await self.ask(GetIdentity())
        return seal_to(identity.public_key, msgspec.json.encode(secrets), SECRETS_PURPOSE)

    async def _see_through(self, run_id: UUID) -> RunView:
        """The run, once it has succeeded."""
        run = await self.wait_for_run(run_id, WAIT_SECONDS)
        if not run.status.is_outcome:
            raise StillRunningError(run.id)
        if run.status is not RunStatus.SUCCESS:
            raise adding_failed(run)
        return run

    async def _unless_stopping(self, run_id: UUID, seconds: float) -> RunView:
        """One step of waiting; StillRunningError as soon as this process is to end."""
        query = WaitForRun(run_id=run_id, timeout_seconds=seconds)
        asking = asyncio.ensure_future(self.ask(query, seconds + ASK_SECONDS))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({asking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                return asking.result()
            raise StillRunningError(run_id)
        finally:
            asking.cancel()
            stopping.cancel()
