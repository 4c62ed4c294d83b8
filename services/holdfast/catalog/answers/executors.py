"""What executors ask: may I have this run, and may I go on."""

from datetime import timedelta
from uuid import UUID

import msgspec
from msgspec.structs import replace

from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.credentials import secrets_for
from holdfast.catalog.domain.run import dies_again
from holdfast.catalog.ending import end_here
from holdfast.catalog.logins import logins_of, with_logins
from holdfast.catalog.store import destinations, passwords, runs, snapshots
from holdfast.catalog.store.pool import Connection, transaction
from holdfast.catalog.store.runs import RunRow
from holdfast.events.queries import (
    Claim,
    ClaimRun,
    Heartbeat,
    HeartbeatReply,
    ReleaseClaim,
    Released,
    claim_purpose,
)
from holdfast.events.run import Operation, RunStatus
from holdfast.events.work import (
    AppRestoreRequested,
    HealRequested,
    InitRequested,
    RestoreRequested,
)
from holdfast.secretbox.envelope import seal_to

ON_DEVICES = frozenset(
    (
        Operation.DEVICE_PROBE,
        Operation.DISCOVER,
        Operation.BACKUP,
        Operation.RESTORE,
        Operation.APP_RESTORE,
        Operation.DISCARD_PREVIOUS,
        Operation.DRILL,
    )
)
"""What is done on the run's device, which an executor may have to log in to."""


async def answer_claim_run(query: ClaimRun, deps: Deps) -> Claim:
    """Give the run to the executor, unless another one may still be at it.

    The new number fences the old holder out: nothing it says is recorded any more.
    """
    now, seconds = deps.now(), deps.settings.claim_seconds
    async with transaction(deps.pool) as connection:
        run = await runs.lock(connection, query.run_id)
        if run is None or run.status.is_outcome:
            return Claim(granted=False, reason="The run has ended.")
        if run.status is RunStatus.QUEUED:
            # Its message is older than its row: what was admitted is given out again then.
            return Claim(granted=False, reason="The run is not admitted.", wait_seconds=seconds)
        if run.claim_expires_at is not None and run.claimed(now):
            left = (run.claim_expires_at - now).total_seconds()
            return Claim(
                granted=False,
                reason="Another executor holds it.",
                wait_seconds=max(left, 0.1),
            )
        if dies_again(run.deaths, run.claim_expires_at):
            # Whoever looks after the silent ones ends it.
            return Claim(granted=False, reason="It died too often.", wait_seconds=seconds)
        number = await runs.claim(connection, run.id, query.executor_id, now, seconds)
        done = [
            each.id for each in await snapshots.of_run(connection, run.id) if each.status.is_outcome
        ]
        sealed = await _secrets(connection, run, number, query.public_key, deps)
    return Claim(
        granted=True,
        claim=number,
        expires_in_seconds=seconds,
        waiting_since=run.waiting_since,
        done_snapshot_ids=tuple(done),
        sealed_secrets=sealed,
    )


async def answer_heartbeat(query: Heartbeat, deps: Deps) -> HeartbeatReply:
    """Extend the claim, if it is still held."""
    async with transaction(deps.pool) as connection:
        cancel = await runs.heartbeat(
            connection, query.run_id, query.claim, deps.now(), deps.settings.claim_seconds
        )
    return HeartbeatReply(held=cancel is not None, cancel=bool(cancel))


async def answer_release_claim(query: ReleaseClaim, deps: Deps) -> Released:
    """Take a run back that its executor leaves in order."""
    now = deps.now()
    async with transaction(deps.pool) as connection:
        if not query.waiting_for:
            return Released(held=await runs.release(connection, query.run_id, query.claim))
        await runs.lock_admission(connection)
        not_before = now + timedelta(seconds=query.wait_seconds)
        cancel = await runs.requeue(
            connection, query.run_id, query.claim, query.waiting_for, not_before, now
        )
        if cancel:
            await end_here(connection, query.run_id, RunStatus.CANCELLED, None, now)
        if cancel is not None:
            await runs.admit_queued(connection, now)
    deps.wake.set()
    return Released(held=cancel is not None)


def _opened_by(run: RunRow) -> tuple[UUID, ...]:
    """Its own destinations, and those that it only reads from."""
    work = run.event
    if isinstance(work, InitRequested) and work.first is not None:
        return (*run.destination_ids, work.first.destination_id)
    if isinstance(work, HealRequested):
        return (*run.destination_ids, *(each.destination_id for each in work.siblings))
    if isinstance(work, RestoreRequested | AppRestoreRequested):
        return (*run.destination_ids, *(each.address.destination_id for each in work.others))
    return run.destination_ids


async def _secrets(
    connection: Connection, run: RunRow, number: int, public_key: bytes, deps: Deps
) -> bytes:
    """What opens the run's destinations, readable by this executor alone."""
    tries = await destinations.tries_change(connection, run.id)
    opened = {
        each.id: secrets_for(run.operation, deps.secrets.open_destination(each), tries=tries)
        for each in await destinations.sealed_secrets(connection, _opened_by(run), run.id)
    }
    opened = await with_logins(connection, opened, deps)
    if run.operation in ON_DEVICES and run.device_id is not None:
        opened |= await logins_of(connection, [run.device_id], deps)
    if run.operation is Operation.ROTATE_PASSWORD:
        for destination_id in run.destination_ids:
            change = await passwords.change_of(connection, destination_id)
            opened[destination_id] = replace(
                opened[destination_id],
                next_password=deps.secrets.next_password(change),
                old_password=deps.secrets.old_password(change),
            )
    return seal_to(
        public_key,
        msgspec.json.encode({str(id): each for id, each in opened.items()}),
        claim_purpose(run.id, number),
    )
