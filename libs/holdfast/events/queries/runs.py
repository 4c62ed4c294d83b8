"""Runs: what people ask about them, and what executors do."""

from uuid import UUID

import msgspec

from holdfast.events import views
from holdfast.events.base import AwareTime
from holdfast.events.queries.base import Query
from holdfast.events.run import Operation, RunStatus


class ListRuns(Query[views.RunPage], frozen=True, kw_only=True):
    """Runs, newest first."""

    SUBJECT = "catalog.run.list"
    REPLY = views.RunPage

    operation: Operation | None = None
    status: RunStatus | None = None
    configuration_id: UUID | None = None
    app_id: UUID | None = None
    limit: int = 50
    cursor: str | None = None


class GetRun(Query[views.RunView], frozen=True, kw_only=True):
    """One run."""

    SUBJECT = "catalog.run.get"
    REPLY = views.RunView

    run_id: UUID


class WaitForRun(Query[views.RunView], frozen=True, kw_only=True):
    """The run once it has ended, or as it stands after so many seconds."""

    SUBJECT = "catalog.run.wait"
    REPLY = views.RunView

    run_id: UUID
    timeout_seconds: float = 10


class CancelRun(Query[views.RunView], frozen=True, kw_only=True):
    """Stop a run: at once if nobody has it, otherwise its executor is told."""

    SUBJECT = "catalog.run.cancel"
    REPLY = views.RunView

    run_id: UUID


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """The catalog's answer to an executor that wants a run."""

    granted: bool
    claim: int = 0
    """The fencing token; an outcome told with another number is not recorded."""
    reason: str = ""
    wait_seconds: float = 0
    """Not granted, but ask again after this long: another executor may still be alive.
    0 with no grant: the run has ended, drop the message."""
    expires_in_seconds: float = 0
    """The claim runs out unless a heartbeat comes before."""
    waiting_since: AwareTime | None = None
    """Since when the run waits for somebody else's lock, if it does."""
    done_snapshot_ids: tuple[UUID, ...] = ()
    """Snapshot rows that an earlier claim finished."""
    sealed_secrets: bytes = b""
    """``dict[destination id, DestinationSecrets]`` sealed to the executor's key;
    the purpose is ``claim_purpose(run_id, claim)``."""


def claim_purpose(run_id: UUID, claim: int) -> str:
    """What binds a sealed answer to one claim of one run."""
    return f"claim:{run_id}:{claim}"


class ClaimRun(Query[Claim], frozen=True, kw_only=True):
    """Ask for a run that was on the work queue."""

    SUBJECT = "catalog.run.claim"
    REPLY = Claim

    run_id: UUID
    executor_id: str
    public_key: bytes


class HeartbeatReply(msgspec.Struct, frozen=True, kw_only=True):
    """Whether to go on."""

    held: bool
    """False: another executor has the run, or it has ended.  Stop, and say nothing."""
    cancel: bool = False


class Heartbeat(Query[HeartbeatReply], frozen=True, kw_only=True):
    """The executor is alive and still at it."""

    SUBJECT = "catalog.run.heartbeat"
    REPLY = HeartbeatReply

    run_id: UUID
    claim: int


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the claim was the executor's to give back."""

    held: bool


class ReleaseClaim(Query[Released], frozen=True, kw_only=True):
    """The executor gives a run back that it has not ended, and nothing of it is left running.

    Without a reason to wait, whoever asks next gets it at once; with one it is queued again.
    """

    SUBJECT = "catalog.run.release"
    REPLY = Released

    run_id: UUID
    claim: int
    waiting_for: str = ""
    """What it waits for, for a person; empty: nothing."""
    wait_seconds: float = 0
