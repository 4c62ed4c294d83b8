"""Due times: each becomes a row of the ledger, and at most one of them a run."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec.structs import replace

from holdfast.catalog.backups import Resolved, Start, resolve_all, start_backups, usable_addresses
from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.ledger import Settled, Verdict, all_skipped, come, is_void, settle
from holdfast.catalog.store import ledger, runs
from holdfast.catalog.store.ledger import Recorded
from holdfast.catalog.store.pool import Connection
from holdfast.events.due import DueTimes
from holdfast.events.run import Trigger
from holdfast.events.schedule import DueOutcome
from holdfast.kernel.ids import derived_id
from holdfast.schedule import Rules, rules_of
from holdfast.telemetry.logs import Log

log = Log("catalog")

DELETED = "the configuration is deleted"
NO_APP = "there is no app, or nothing of it to back up"
DISABLED = "disabled: the configuration is switched off"
POLICY_DISABLED = "disabled: the policy is switched off"
PAUSED = "destination paused: none of the policy's destinations is enabled"
NO_DESTINATION = "the policy has no destination"


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration's due times: what can be told without trying, and what trying needs."""

    configuration_id: UUID
    settled: Settled
    resolved: Resolved | None = None


async def record_due(
    connection: Connection, due: Sequence[DueTimes], said_at: datetime, deps: Deps
) -> None:
    """Decide on every time that *due* tells of; what is on record already stays.

    A time that lies in the future is passed over: it is told again when it comes.
    Told twice, or by two schedulers with other times before it, each time is one row.
    """
    now = deps.now()
    if len({each.configuration_id for each in due}) < len(due):
        raise ValueError("A configuration is there twice.")
    due, said_at = _come(due, now), min(said_at, now)
    await runs.lock_admission(connection)
    found = await resolve_all(connection, [each.configuration_id for each in due])
    judged = [_judged(each, said_at, found, now) for each in due]
    started = await _start(connection, judged, deps)
    rows = [row for each in judged for row in _rows(each, started.get(each.configuration_id))]
    recorded = await ledger.record(connection, rows, now)
    log.info("backup_due", configurations=len(due), times=len(rows), recorded=recorded)


def _come(due: Sequence[DueTimes], now: datetime) -> list[DueTimes]:
    """What has come of *due*."""
    told = []
    for each in due:
        here = come(each, now)
        if here != each:
            log.warning(
                "due_in_the_future",
                configuration_id=str(each.configuration_id),
                scheduled_for=each.scheduled_for.isoformat(),
            )
        if here is not None:
            told.append(here)
    return told


def _judged(
    due: DueTimes, said_at: datetime, found: dict[UUID, Resolved | None], now: datetime
) -> Judged:
    id, resolved = due.configuration_id, found.get(due.configuration_id)
    if resolved is None:
        reason = NO_APP if id in found else DELETED
        return Judged(configuration_id=id, settled=all_skipped(due, reason))
    if not resolved.configuration.enabled:
        return Judged(configuration_id=id, settled=all_skipped(due, DISABLED))
    if not resolved.policy.enabled:
        return Judged(configuration_id=id, settled=all_skipped(due, POLICY_DISABLED))
    settled = settle(due, said_at, _rules(resolved), resolved.policy.catch_up, now)
    return Judged(configuration_id=id, settled=settled, resolved=resolved)


async def _start(
    connection: Connection, judged: Sequence[Judged], deps: Deps
) -> dict[UUID, Recorded]:
    """Start the backups, and tell by configuration what became of the time that was to start
    one; nothing of a time that has its row."""
    asked = [
        (each.configuration_id, each.settled.start, each.resolved)
        for each in judged
        if each.settled.start is not None and each.resolved is not None
    ]
    now = deps.now()
    before = await ledger.recorded(connection, [(id, time) for id, time, _ in asked])
    wanted = [
        each for each in asked if each[:2] not in before or is_void(each[1], before[each[:2]], now)
    ]
    going = await runs.unfinished_backups(connection, [id for id, _, _ in wanted])
    addresses = await usable_addresses(connection, [resolved.policy for _, _, resolved in wanted])
    rows, starts = {}, []
    for id, time, resolved in wanted:
        run_id, outcome, reason = None, DueOutcome.FIRED, ""
        if id in going:
            outcome, reason = DueOutcome.COALESCED, f"run {going[id]} has not ended"
        elif not any(each.id in addresses for each in resolved.policy.destinations):
            outcome = DueOutcome.SKIPPED
            reason = PAUSED if resolved.policy.destinations else NO_DESTINATION
        else:
            # What a void row tells of may have run, under the id of this time.
            again = () if (id, time) not in before else (before[id, time].isoformat(),)
            run_id = derived_id("backup", id, time.isoformat(), *again)
            starts.append(_start_of(resolved, run_id, time, now))
        verdict = Verdict(scheduled_for=time, outcome=outcome, reason=reason)
        rows[id] = Recorded(configuration_id=id, verdict=verdict, run_id=run_id)
    if starts:
        await start_backups(connection, starts, addresses, deps)
    return rows


def _start_of(resolved: Resolved, run_id: UUID, time: datetime, now: datetime) -> Start:
    window = _rules(resolved).window
    return Start(
        resolved=resolved,
        run_id=run_id,
        trigger=Trigger.SCHEDULE,
        scheduled_for=time,
        not_after=None if window is None else window.end_after(now),
    )


def _rows(judged: Judged, started: Recorded | None) -> list[Recorded]:
    verdicts = judged.settled.verdicts
    if started is not None and started.verdict.outcome is DueOutcome.SKIPPED:
        # Nothing stands for the earlier ones: what kept this one kept them.
        verdicts = tuple(_like(each, started.verdict) for each in verdicts)
    rows = [Recorded(configuration_id=judged.configuration_id, verdict=each) for each in verdicts]
    return rows if started is None else [*rows, started]


def _like(verdict: Verdict, other: Verdict) -> Verdict:
    """A coalesced one, with what became of *other*; any other stays."""
    if verdict.outcome is not DueOutcome.COALESCED:
        return verdict
    return replace(verdict, outcome=other.outcome, reason=other.reason)


def _rules(resolved: Resolved) -> Rules:
    policy = resolved.policy
    return rules_of(
        resolved.configuration.id,
        policy.schedule,
        policy.timezone,
        jitter_seconds=policy.jitter_seconds,
        window_start=policy.window_start,
        window_end=policy.window_end,
    )
