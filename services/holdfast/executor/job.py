"""One message of the work queue, from its receipt to its fate."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol
from uuid import UUID

import msgspec

from holdfast.events.base import Work
from holdfast.events.drilling import DrillRequested
from holdfast.events.queries import Claim, ClaimRun, ReleaseClaim, Released, claim_purpose
from holdfast.events.run import RunCompleted, RunStatus
from holdfast.events.work import BackupRequested, DestinationSecrets
from holdfast.executor.attempt import Attempt, Deps, SecretsMissingError
from holdfast.executor.domain import (
    CANCELLED,
    Outcome,
    addresses_of,
    failure_of,
    operation_of,
    outcome_id,
    seconds_between,
    where_raised,
)
from holdfast.executor.hold import Hold, Reason, StoppedError
from holdfast.executor.locks import LockWaitError
from holdfast.executor.operations import OPERATES
from holdfast.executor.progress import Progress
from holdfast.kernel.errors import HoldfastError
from holdfast.telemetry.logs import Log, bound
from holdfast.telemetry.metrics import LAST_PROOF, LAST_SUCCESS, RUN_SECONDS, RUNS_ENDED

log = Log("executor")

KEEP_SECONDS = 4.0
"""The queue gives a message to another after 15 seconds of silence."""

RETRY_SECONDS = 2.0
"""After the catalog did not answer."""

LEAVING_SECONDS = 1.0
"""A run that this process leaves behind is there for the next one after so long."""

RELEASE_SECONDS = 3.0
"""So long a process that ends waits for the catalog."""

LONGEST_RETRY_SECONDS = 60.0


class Job(Protocol):
    """What is needed of ``holdfast.bus.Job``."""

    work: Work

    @property
    def attempt(self) -> int: ...

    async def in_progress(self) -> None: ...

    async def done(self) -> None: ...

    async def again(self, delay_seconds: float) -> None: ...

    async def pass_on(self, reason: str) -> None: ...

    async def give_up(self, reason: str) -> None: ...


class Done(msgspec.Struct, frozen=True):
    """The message is not needed any more."""


class Again(msgspec.Struct, frozen=True):
    """The message comes again after so many seconds."""

    seconds: float


class GiveUp(msgspec.Struct, frozen=True):
    """The message is set aside."""

    reason: str


class PassOn(msgspec.Struct, frozen=True):
    """The message is left for an executor of another release."""

    reason: str


Fate = Done | Again | GiveUp | PassOn


class Desk:
    """The runs that this process holds, by id: where a wish to stop finds its run."""

    def __init__(self) -> None:
        self._holds: dict[UUID, Hold] = {}
        self._leaving = False

    def put(self, run_id: UUID, hold: Hold) -> None:
        self._holds[run_id] = hold
        if self._leaving:
            hold.stop(Reason.LEAVING)

    def take(self, run_id: UUID) -> None:
        self._holds.pop(run_id, None)

    def look(self, run_id: UUID) -> None:
        """Have the run ask the catalog now whether it is to go on."""
        if run_id in self._holds:
            self._holds[run_id].look()

    def leave(self) -> None:
        """This process ends: every run stops, and so does every one that comes yet."""
        self._leaving = True
        for hold in self._holds.values():
            hold.stop(Reason.LEAVING)


async def handle(job: Job, deps: Deps, desk: Desk) -> None:
    """Do the run of *job*, and settle the message."""
    keeping = asyncio.create_task(_keep(job))
    try:
        with bound(run_id=str(job.work.run_id), work=job.work.TYPE, delivery=job.attempt):
            fate = await _fate_of(job, deps, desk)
            await settle(job, fate)
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def settle(job: Job, fate: Fate) -> None:
    """Say to the queue what becomes of the message, if it is there to listen."""
    try:
        match fate:
            case Done():
                await job.done()
            case Again(seconds):
                await job.again(seconds)
            case PassOn(reason):
                await job.pass_on(reason)
            case GiveUp(reason):
                await job.give_up(reason)
    except Exception as error:  # noqa: BLE001 - NATS may be away; the message comes again by itself
        log.warning("job_not_settled", fate=repr(fate), error=f"{type(error).__name__}: {error}")


async def _keep(job: Job) -> None:
    while True:
        # When NATS is away there is nobody to tell; the claim at the catalog decides then.
        with suppress(Exception):
            await job.in_progress()
        await asyncio.sleep(KEEP_SECONDS)


async def _fate_of(job: Job, deps: Deps, desk: Desk) -> Fate:
    work = job.work
    if type(work) not in OPERATES:
        return PassOn(f"This release knows no work of type {work.TYPE!r}.")
    asked = deps.monotonic()
    try:
        claim = await deps.bus.request(
            ClaimRun(run_id=work.run_id, executor_id=deps.executor_id, public_key=deps.key.public)
        )
    except HoldfastError as error:
        log.warning("claim_failed", error=str(error), code=error.code)
        if error.code == "not_found":
            return GiveUp("The catalog knows no such run.")
        # A catalog that answers with a fault of its own is asked less and less often.
        delay = RETRY_SECONDS if error.retryable else RETRY_SECONDS * job.attempt
        return Again(min(delay, LONGEST_RETRY_SECONDS))
    if not claim.granted:
        log.info("claim_refused", reason=claim.reason, wait_seconds=claim.wait_seconds)
        return Again(claim.wait_seconds) if claim.wait_seconds > 0 else Done()

    lasts = claim.expires_in_seconds or deps.claim_seconds
    hold = Hold(
        deps.bus,
        work.run_id,
        claim.claim,
        lasts_seconds=lasts,
        held_since=asked,
        monotonic=deps.monotonic,
    )
    if claim.claim > 1:
        # It may have been cancelled while nobody held it: heard before anything is done.
        hold.look()
    desk.put(work.run_id, hold)
    try:
        async with hold:
            return await _work(deps, work, claim, hold, lasts)
    finally:
        desk.take(work.run_id)


async def _work(deps: Deps, work: Work, claim: Claim, hold: Hold, lasts: float) -> Fate:
    """Do what is claimed, and tell its one outcome."""
    log.info("run_claimed", claim=claim.claim)
    try:
        async with Progress(deps.bus, deps.now, work.run_id, operation_of(work)) as progress:
            attempt = Attempt(
                deps=deps,
                work=work,
                claim=claim,
                secrets=_open_secrets(deps, work, claim),
                hold=hold,
                progress=progress,
                started_at=deps.now(),
            )
            outcome = await _operate(attempt)
        await _tell(attempt, outcome)
    except LockWaitError as locked:
        log.info("run_waits", reason=locked.reason)
        query = ReleaseClaim(
            run_id=work.run_id,
            claim=claim.claim,
            waiting_for=locked.reason,
            wait_seconds=deps.lock_poll_seconds,
        )
        released = await _release(deps, query)
        return Done() if released else Again(lasts)
    except StoppedError as stopped:
        log.info("run_left", reason=stopped.reason.value)
        if stopped.reason is Reason.LEAVING:
            # Otherwise whoever comes next would wait until the claim has run out.
            await _release(deps, ReleaseClaim(run_id=work.run_id, claim=claim.claim))
            return Again(LEAVING_SECONDS)
        # Fenced: another executor has the message as well; what we say about ours must not
        # take it away from that one, so it comes back and is found to be held or ended.
        return Again(lasts)
    return Done()


async def _release(deps: Deps, query: ReleaseClaim) -> bool:
    """Give the claim back; whether the catalog took it.  If not, it runs out by itself."""
    try:
        released: Released = await deps.bus.request(query, timeout=RELEASE_SECONDS)
        return released.held
    except HoldfastError as error:
        log.warning("claim_not_released", error=str(error), code=error.code)
        return False


def _open_secrets(
    deps: Deps, work: Work, claim: Claim
) -> Mapping[UUID, DestinationSecrets] | HoldfastError:
    """The secrets, or why there are none: an operation that needs them raises that."""
    if not claim.sealed_secrets:
        return {}
    try:
        plain = deps.key.open(claim.sealed_secrets, claim_purpose(work.run_id, claim.claim))
        return msgspec.json.decode(plain, type=dict[UUID, DestinationSecrets])
    except HoldfastError as error:
        return error
    except msgspec.MsgspecError:
        # Not the decoder's own words: they may quote what is secret.
        return SecretsMissingError("The catalog's secrets are not understood.")


async def _operate(attempt: Attempt) -> Outcome:
    """The run's outcome, whatever happens.  Raises StoppedError only when none may be told,
    and LockWaitError when there is none yet."""
    work = attempt.work
    try:
        return await OPERATES[type(work)](attempt, work)
    except StoppedError as stopped:
        if stopped.reason is not Reason.CANCELLED:
            raise
        return Outcome(status=RunStatus.CANCELLED, failure=CANCELLED)
    except LockWaitError:
        raise
    except HoldfastError as error:
        failure = failure_of(error, attempt.all_secrets())
        log.warning("run_failed", code=failure.code, error=failure.message, detail=failure.detail)
    except Exception as error:  # noqa: BLE001 - every run ends in an outcome
        failure = failure_of(error, attempt.all_secrets())
        log.error("run_crashed", detail=failure.detail, where=where_raised(error))
    return Outcome(status=RunStatus.FAILED, failure=failure)


async def _tell(attempt: Attempt, outcome: Outcome) -> None:
    work, claim, now = attempt.work, attempt.claim.claim, attempt.deps.now()
    operation = operation_of(work)
    configuration_id = getattr(work, "configuration_id", None)
    app_name = getattr(work, "app_name", "")
    await attempt.say(
        RunCompleted(
            event_id=outcome_id(RunCompleted, work.run_id, claim),
            occurred_at=now,
            run_id=work.run_id,
            claim=claim,
            operation=operation,
            status=outcome.status,
            started_at=attempt.started_at,
            configuration_id=configuration_id,
            app_id=getattr(work, "app_id", None),
            app_name=app_name,
            destination_ids=tuple(each.destination_id for each in addresses_of(work)),
            failure=outcome.failure,
            result=outcome.result,
        )
    )
    log.info("run_ended", status=outcome.status.value, claim=claim)
    RUNS_ENDED.labels(operation.value, outcome.status.value).inc()
    RUN_SECONDS.labels(operation.value).observe(seconds_between(attempt.started_at, now))
    if isinstance(work, BackupRequested) and outcome.status is RunStatus.SUCCESS:
        LAST_SUCCESS.labels(app_name or str(work.configuration_id)).set(now.timestamp())
    if isinstance(work, DrillRequested) and outcome.status is RunStatus.SUCCESS:
        LAST_PROOF.labels(app_name or str(work.configuration_id)).set(now.timestamp())
