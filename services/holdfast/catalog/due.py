"""Due times: each becomes a row of the ledger, and at most one of them a run."""

from datetime import datetime

from msgspec.structs import replace

from holdfast.catalog.backups import (
    NoDestinationError,
    NothingToBackUpError,
    Resolved,
    resolve,
    start_backup,
)
from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.ledger import Settled, Verdict, all_skipped, come, is_void, settle
from holdfast.catalog.store import ledger, runs
from holdfast.catalog.store.pool import Connection
from holdfast.events.due import BackupDue
from holdfast.events.run import Trigger
from holdfast.events.schedule import DueOutcome
from holdfast.kernel.errors import NotFoundError
from holdfast.kernel.ids import derived_id
from holdfast.schedule import Rules, rules_of
from holdfast.telemetry.logs import Log

log = Log("catalog")

DELETED = "the configuration is deleted"
NO_APP = "there is no app"
DISABLED = "disabled: the configuration is switched off"
POLICY_DISABLED = "disabled: the policy is switched off"
PAUSED = "destination paused: none of the policy's destinations is enabled"
NO_DESTINATION = "the policy has no destination"


async def record_due(connection: Connection, event: BackupDue, deps: Deps) -> None:
    """Decide on every time that *event* tells of; what is on record already stays.

    A time that lies in the future is passed over: it is told again when it comes.
    Told twice, or by two schedulers with other times before it, each time is one row.
    """
    configuration_id, now = event.configuration_id, deps.now()
    told = come(event, now)
    if told != event:
        log.warning(
            "due_in_the_future",
            configuration_id=str(configuration_id),
            scheduled_for=event.scheduled_for.isoformat(),
        )
    if told is None:
        return
    event = told
    await runs.lock_admission(connection)
    settled, resolved = await _settled(connection, event, deps)
    verdicts = settled.verdicts
    if settled.start is not None and resolved is not None:
        started = await _start(connection, settled.start, resolved, deps)
        if started is not None and started.outcome is DueOutcome.SKIPPED:
            # Nothing stands for the earlier ones: what kept this one kept them.
            verdicts = tuple(_like(each, started) for each in verdicts)
    recorded = await ledger.record(connection, configuration_id, verdicts, now)
    log.info(
        "backup_due",
        configuration_id=str(configuration_id),
        scheduled_for=event.scheduled_for.isoformat(),
        recorded=recorded,
    )


async def _settled(
    connection: Connection, event: BackupDue, deps: Deps
) -> tuple[Settled, Resolved | None]:
    """What can be told without trying, and all that is needed to try."""
    try:
        resolved = await resolve(connection, event.configuration_id)
    except NotFoundError:
        return all_skipped(event, DELETED), None
    except NothingToBackUpError:
        return all_skipped(event, NO_APP), None
    if not resolved.configuration.enabled:
        return all_skipped(event, DISABLED), None
    if not resolved.policy.enabled:
        return all_skipped(event, POLICY_DISABLED), None
    rules = _rules(resolved)
    return settle(event, rules, resolved.policy.catch_up, deps.now()), resolved


async def _start(
    connection: Connection, time: datetime, resolved: Resolved, deps: Deps
) -> Verdict | None:
    """Start the backup and write its row, or why not; None when that time has its row."""
    configuration_id = resolved.configuration.id
    before = await ledger.recorded_at(connection, configuration_id, time)
    if before is not None and not is_void(time, before, deps.now()):
        return None
    run_id, outcome, reason = None, DueOutcome.FIRED, ""
    going = await runs.unfinished_backup(connection, configuration_id)
    if going is not None:
        outcome, reason = DueOutcome.COALESCED, f"run {going} has not ended"
    else:
        # What a void row tells of may have run, under the id of this time.
        again = () if before is None else (before.isoformat(),)
        run_id = derived_id("backup", configuration_id, time.isoformat(), *again)
        window = _rules(resolved).window
        try:
            await start_backup(
                connection,
                resolved,
                run_id,
                deps,
                trigger=Trigger.SCHEDULE,
                scheduled_for=time,
                not_after=None if window is None else window.end_after(deps.now()),
            )
        except NoDestinationError:
            paused = bool(resolved.policy.destinations)
            run_id, outcome = None, DueOutcome.SKIPPED
            reason = PAUSED if paused else NO_DESTINATION
    verdict = Verdict(scheduled_for=time, outcome=outcome, reason=reason)
    await ledger.record(connection, configuration_id, [verdict], deps.now(), run_id=run_id)
    return verdict


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
