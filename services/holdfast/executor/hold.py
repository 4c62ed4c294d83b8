"""Our hold on one run: kept by heartbeats, and the one place where a run learns to stop."""

import asyncio
from collections.abc import Callable, Coroutine
from enum import StrEnum
from types import TracebackType
from typing import Any, Protocol, TypeVar
from uuid import UUID

from holdfast.events.queries import Heartbeat, Query
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.pause import pause
from holdfast.telemetry.logs import Log

T = TypeVar("T")
R = TypeVar("R")
log = Log("executor")

BEATS = 3
"""Heartbeats in the time that a claim lasts, so that one may get lost."""

AGAIN_SECONDS = 0.5
"""After a heartbeat that nobody answered."""


class Asks(Protocol):
    """What is needed of the bus."""

    async def request(self, query: Query[R], *, timeout: float = ...) -> R: ...


class Reason(StrEnum):
    """Why a run stops before it is done."""

    CANCELLED = "cancelled"
    """A person wants it; the outcome is told."""

    FENCED = "fenced"
    """The run is, or may be, another executor's: nothing more is told."""

    LEAVING = "leaving"
    """This process ends; the run is taken up again by whoever comes next."""


class StoppedError(Exception):
    """The run was stopped before it was done."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Hold:
    """Use as ``async with``: heartbeats go on inside.

    *held_since* is the monotonic time at which the claim was asked for, so that we
    never believe in our claim for longer than the catalog does.
    """

    def __init__(
        self,
        bus: Asks,
        run_id: UUID,
        claim: int,
        *,
        lasts_seconds: float,
        held_since: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._bus = bus
        self._run_id = run_id
        self._claim = claim
        self._lasts = lasts_seconds
        self._sure_until = held_since + lasts_seconds
        self._monotonic = monotonic
        self._reasons: set[Reason] = set()
        self._stopping = asyncio.Event()
        self._wake = asyncio.Event()
        self._beating: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Hold":
        self._beating = asyncio.create_task(self._beat())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)

    @property
    def reason(self) -> Reason | None:
        """Why to stop, the gravest first; None: go on."""
        for reason in (Reason.FENCED, Reason.CANCELLED, Reason.LEAVING):
            if reason in self._reasons:
                return reason
        return None

    @property
    def fenced(self) -> bool:
        """Whether nothing more may be told."""
        return Reason.FENCED in self._reasons

    @property
    def leaving(self) -> bool:
        """Whether this process is to end."""
        return Reason.LEAVING in self._reasons

    def stop(self, reason: Reason) -> None:
        """What runs in ``guard`` is ended."""
        if reason not in self._reasons:
            log.info("run_stopping", run_id=str(self._run_id), reason=reason.value)
            self._reasons.add(reason)
            self._stopping.set()

    def look(self) -> None:
        """Ask the catalog now instead of at the next heartbeat."""
        self._wake.set()

    async def guard(self, work: Coroutine[Any, Any, T]) -> T:
        """Do *work*, which is cancelled as soon as there is a reason to stop.

        When this returns or raises, *work* is over.  What it had finished by then counts,
        unless the run is another's.  Raises StoppedError.
        """
        before = self.reason
        if before is not None:
            work.close()
            raise StoppedError(before)
        task = asyncio.create_task(work)
        told = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((task, told), return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
            task.cancel()
            await asyncio.wait((task,))
        reason = self.reason
        unfinished = task.cancelled() or task.exception() is not None
        if reason is not None and (unfinished or reason is Reason.FENCED):
            raise StoppedError(reason)
        return task.result()

    async def pause(self, seconds: float) -> None:
        """Wait, but not when this process ends or the run is another's."""
        deadline = self._monotonic() + seconds
        while not (self.fenced or self.leaving) and self._monotonic() < deadline:  # noqa: ASYNC110 - two reasons of three end it
            await asyncio.sleep(min(0.05, seconds))

    async def _beat(self) -> None:
        every = self._lasts / BEATS
        rest = every
        while not self.fenced:
            await pause(self._wake, seconds=rest)
            self._wake.clear()
            rest = every if await self._ask(every) else min(AGAIN_SECONDS, every / 4)

    async def _ask(self, patience: float) -> bool:
        """One heartbeat; whether it was answered."""
        asked = self._monotonic()
        query = Heartbeat(run_id=self._run_id, claim=self._claim)
        try:
            reply = await self._bus.request(
                query, timeout=max(0.05, min(patience, self._sure_until - asked))
            )
        except Exception as error:  # noqa: BLE001 - a run whose heart stops must learn of it
            said = str(error) if isinstance(error, HoldfastError) else type(error).__name__
            log.warning("heartbeat_unanswered", run_id=str(self._run_id), error=said)
            if self._monotonic() >= self._sure_until:
                self.stop(Reason.FENCED)
            return False
        if not reply.held:
            self.stop(Reason.FENCED)
        elif reply.cancel:
            self.stop(Reason.CANCELLED)
        self._sure_until = asked + self._lasts
        return True
