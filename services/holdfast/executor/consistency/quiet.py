"""An app that is stopped or paused while it is backed up, and comes back whatever happens.

Where the app is a small loop of its own waits beside it: when nobody has given it a sign of
life for a while, it brings the containers back.  It needs nothing of ours, so the app is back
even when every part of Holdfast and the link to the device are gone.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from copy import copy
from importlib.resources import files

from holdfast.devices.base import Program
from holdfast.events.consistency import Quiet, Step, When
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.commands import ended, lines_of, runner_of
from holdfast.executor.consistency.engine import STOP_SECONDS, AppContainer, Engine, engine_of
from holdfast.executor.domain import seconds_between
from holdfast.kernel.errors import HoldfastError
from holdfast.telemetry.logs import Log

log = Log("executor")

SCRIPT = files("holdfast.devices").joinpath("lease.sh").read_text(encoding="utf-8")

SIGNS = 6
"""Signs of life in the time of a lease, so that some may get lost."""

START_SECONDS = 120


class AppNotStoppedError(HoldfastError):
    """A container of the app could not be brought to rest."""

    code = "app_not_stopped"
    guidance = "Nothing was backed up, and the app runs on. The detail has the engine's words."
    retryable = True


class AppNotStartedError(HoldfastError):
    """A container of the app did not come back after the backup."""

    code = "app_not_started"
    guidance = "Start it by hand; the detail has the engine's words."


class LeaseLostError(HoldfastError):
    """The app was started again before the backup was done."""

    code = "lease_lost"
    guidance = (
        "No sign of life reached the device for a minute. What is in the snapshot may have "
        "changed while it was read: back up again."
    )


class Lease:
    """On the containers of one run's app, those that others need first."""

    def __init__(self, attempt: Attempt, engine: Engine, quiet: Quiet) -> None:
        self._attempt = attempt
        self._engine = engine
        self.seconds = attempt.deps.app_lease_seconds
        self.back = "start" if quiet is Quiet.STOP else "unpause"
        cache = str(attempt.deps.cache) if attempt.host is None else attempt.host.cache
        self._folder = f"{cache}/leases/{attempt.work.run_id}"
        self._claim = attempt.claim.claim

    async def begin(self, containers: Sequence[AppContainer]) -> None:
        """Before anything is stopped.  Raises AppNotStoppedError."""
        words = (str(self.seconds), str(STOP_SECONDS + 30), self._engine.command, self.back)
        code, _ = await self._do("begin", *words, *(each.id for each in containers))
        if code != 0:
            raise AppNotStoppedError("No lease could be begun where the app is.")

    async def renew(self) -> bool:
        """A sign of life; False: it is over, and the app is back."""
        return (await self._do("renew"))[0] == 0

    async def look(self) -> tuple[str, ...] | None:
        """What brings the app back: the engine's verb, and containers; None: it is back."""
        code, told = await self._do("look")
        return tuple(told[1:]) if code == 0 else None

    async def end(self) -> None:
        """When the app is back, and not before: whoever dies in between has the lease."""
        await self._do("end")

    def earlier(self) -> list["Lease"]:
        """Those of the attempts before this one: they may have died with the app at rest."""
        leases = []
        for claim in range(1, self._claim):
            lease = copy(self)
            lease._claim = claim  # noqa: SLF001 - a copy of our own
            leases.append(lease)
        return leases

    async def _do(self, what: str, *words: str) -> tuple[int, list[str]]:
        # Without the run's mark: who takes the run over ends what has it, and not this.
        argv = ("sh", "-c", SCRIPT, "lease", what, f"{self._folder}.{self._claim}", *words)
        async with runner_of(self._attempt).start(Program(argv=argv)) as process:
            if what == "begin":
                # It says nothing, and the loop may have inherited where it would (uvloop keeps
                # copies of a child's pipes): the end of that would come with the lease's.
                return await process.wait(), []
            told = await lines_of(process.lines())
            return await process.wait(), told


@contextlib.asynccontextmanager
async def at_rest(
    attempt: Attempt, names: Sequence[str], quiet: Quiet, steps: list[Step]
) -> AsyncIterator[None]:
    """The containers *names* at rest while the block lasts, those of them that run.

    *names* has those that others need first: they are stopped last and come back first.
    Raises AppNotStoppedError, AppNotStartedError, and LeaseLostError when the app came back
    while the block was at work.
    """
    if quiet is Quiet.RUN or not names:
        yield
        return
    engine = await engine_of(attempt)
    lease = Lease(attempt, engine, quiet)
    # What an attempt that died has left: its list knows what ran before.
    for before in lease.earlier():
        await _bring_back(attempt, engine, before, steps)
    running = [
        each for each in await engine.look(attempt, names) if each.running and not each.paused
    ]
    await lease.begin(running)
    try:
        async with _renewed(lease) as lost:
            for each in reversed(running):
                await _quieten(attempt, engine, each, quiet, steps)
            if not await lease.renew():
                raise LeaseLostError
            yield
            if lost.is_set():
                raise LeaseLostError
    finally:
        held = await _bring_back(attempt, engine, lease, steps)
    if not held:
        raise LeaseLostError


@contextlib.asynccontextmanager
async def _renewed(lease: Lease) -> AsyncIterator[asyncio.Event]:
    """Signs of life while the block lasts; the event is set when they come too late."""
    lost = asyncio.Event()

    async def renew() -> None:
        while not lost.is_set():
            with contextlib.suppress(HoldfastError, OSError):
                if not await lease.renew():
                    lost.set()
            await asyncio.sleep(lease.seconds / SIGNS)

    task = asyncio.create_task(renew())
    try:
        yield lost
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _quieten(
    attempt: Attempt, engine: Engine, container: AppContainer, quiet: Quiet, steps: list[Step]
) -> None:
    began = attempt.deps.now()
    argv = (
        engine.stop(container.id)
        if quiet is Quiet.STOP
        else (engine.command, "pause", container.id)
    )
    end = await ended(attempt, argv, seconds=STOP_SECONDS + 30)
    steps.append(
        Step(
            name=f"{quiet.value} {container.name}",
            when=When.BEFORE,
            ok=end.ok,
            seconds=seconds_between(began, attempt.deps.now()),
            exit_code=end.code,
            output="" if end.ok else end.output,
        )
    )
    if not end.ok:
        raise AppNotStoppedError(f"{container.name} did not {quiet.value}.", detail=end.output)


async def _bring_back(attempt: Attempt, engine: Engine, lease: Lease, steps: list[Step]) -> bool:
    """Every one is tried, whatever becomes of another; False: the lease had run out.

    Raises AppNotStartedError; then the lease stays, and its loop goes on trying.
    """
    told = await lease.look()
    if told is None:
        return False
    verb, *ids = told
    failed = []
    for id in ids:
        began = attempt.deps.now()
        end = await ended(attempt, (engine.command, verb, id), seconds=START_SECONDS)
        # One that was never paused is running already.
        ok = end.ok or (verb == "unpause" and "not paused" in end.output)
        steps.append(
            Step(
                name=f"{verb} {id[:12]}",
                when=When.AFTER,
                ok=ok,
                seconds=seconds_between(began, attempt.deps.now()),
                exit_code=end.code,
                output="" if ok else end.output,
            )
        )
        if not ok:
            failed.append(end.output)
    if failed:
        log.error("app_not_started", run_id=str(attempt.work.run_id))
        raise AppNotStartedError(detail="\n".join(failed))
    await lease.end()
    return True
