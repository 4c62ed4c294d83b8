"""The executor's rules, on plain values: what a run came to, and how it is told."""

import traceback
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

import msgspec

from holdfast.events.base import Event, Work
from holdfast.events.discarding import DiscardRequested
from holdfast.events.drilling import DrillRequested
from holdfast.events.run import Failure, Operation, Result, RunStatus
from holdfast.events.work import (
    AppRestoreRequested,
    BackupRequested,
    BackupTarget,
    CheckRequested,
    DestinationAddress,
    DeviceProbeRequested,
    DiscoverRequested,
    ForgetAdmitted,
    HealRequested,
    ImportRequested,
    InitRequested,
    ListFilesRequested,
    ProbeRequested,
    ProtectionTestRequested,
    ProtectRequested,
    PruneAdmitted,
    RebuildRequested,
    RestoreRequested,
    RotatePasswordRequested,
    UndeleteRequested,
)
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.ids import derived_id
from holdfast.kernel.secret import Secret
from holdfast.restic.errors import RestoreIncompleteError

NAMES_TOLD = 5
"""So many files are named in a message; the rest is counted."""

SHORTEST_SECRET = 4
"""Shorter ones are not cut out of texts: they would match anywhere."""

CANCELLED = Failure(code="run_cancelled", message="The run was cancelled.")

OPERATIONS: dict[type[Work], Operation] = {
    BackupRequested: Operation.BACKUP,
    RestoreRequested: Operation.RESTORE,
    AppRestoreRequested: Operation.APP_RESTORE,
    DiscardRequested: Operation.DISCARD_PREVIOUS,
    DrillRequested: Operation.DRILL,
    ForgetAdmitted: Operation.FORGET,
    PruneAdmitted: Operation.PRUNE,
    InitRequested: Operation.INIT,
    ProbeRequested: Operation.PROBE,
    ImportRequested: Operation.IMPORT,
    ListFilesRequested: Operation.LIST_FILES,
    DeviceProbeRequested: Operation.DEVICE_PROBE,
    DiscoverRequested: Operation.DISCOVER,
    CheckRequested: Operation.CHECK,
    RotatePasswordRequested: Operation.ROTATE_PASSWORD,
    RebuildRequested: Operation.REBUILD,
    ProtectRequested: Operation.PROTECT,
    UndeleteRequested: Operation.UNDELETE,
    HealRequested: Operation.HEAL,
    ProtectionTestRequested: Operation.PROTECTION_TEST,
}


class UnknownWorkError(HoldfastError):
    """This release does not know how to do that."""

    code = "unknown_work"
    guidance = "Bring all parts of Holdfast to the same release."


class SourcesMissingError(HoldfastError):
    """None of the paths to back up exists."""

    code = "source_missing"
    guidance = "Check the configured paths, and that their disk or volume is mounted."


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to."""

    status: RunStatus
    failure: Failure | None = None
    result: Result | None = None


class Listable(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot whose files can be told."""

    snapshot_id: UUID
    """The catalog's row."""
    address: DestinationAddress
    restic_snapshot_id: str
    tree: str = ""
    """restic's id of its content, if it is known."""


class TargetOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup came to at one destination."""

    name: str
    status: RunStatus
    failure: Failure | None = None
    unreadable_count: int = 0
    unreadable_files: tuple[str, ...] = ()
    listable: Listable | None = None
    """What was made of it; None: nothing, or an attempt before this one made it."""


def operation_of(work: Work) -> Operation:
    """The kind of run that *work* is.  Raises UnknownWorkError."""
    try:
        return OPERATIONS[type(work)]
    except KeyError:
        raise UnknownWorkError(f"This release knows no work of type {work.TYPE!r}.") from None


def addresses_of(work: Work) -> tuple[DestinationAddress, ...]:
    """Every destination that *work* is about."""
    if isinstance(work, BackupRequested):
        return tuple(target.address for target in work.targets)
    address = getattr(work, "address", None)
    return () if address is None else (address,)


def outcome_id(event_type: type[Event], run_id: UUID, claim: int, *parts: object) -> UUID:
    """The same id when the same claim tells the same outcome again."""
    return derived_id(event_type.TYPE, run_id, claim, *parts)


def backup_status(statuses: Sequence[RunStatus]) -> RunStatus:
    """What a backup run came to, given how it went at each destination.

    One good destination among failed ones is partial, because a restore is possible.
    A person's wish to stop outweighs what was done before it.
    """
    if RunStatus.CANCELLED in statuses:
        return RunStatus.CANCELLED
    if all(status is RunStatus.FAILED for status in statuses):
        return RunStatus.FAILED
    if all(status is RunStatus.SUCCESS for status in statuses):
        return RunStatus.SUCCESS
    return RunStatus.PARTIAL


def backup_outcome(targets: Sequence[TargetOutcome]) -> Outcome:
    """The outcome of a backup run, with one failure that names every destination at fault."""
    status = backup_status([target.status for target in targets])
    if status is RunStatus.CANCELLED:
        return Outcome(status=status, failure=CANCELLED)
    if status is RunStatus.SUCCESS:
        return Outcome(status=status)
    return Outcome(status=status, failure=_backup_failure(targets))


def _backup_failure(targets: Sequence[TargetOutcome]) -> Failure:
    failed = [(target.name, target.failure) for target in targets if target.failure is not None]
    if not failed:
        worst = max(targets, key=lambda target: target.unreadable_count)
        return Failure(
            code="files_unreadable",
            message=f"Some files could not be read: "
            f"{names_told(worst.unreadable_files, worst.unreadable_count)}.",
            guidance="Check that they exist and that Holdfast may read them; "
            "all the others are in the snapshot.",
        )
    _, first = failed[0]
    return msgspec.structs.replace(
        first,
        message=" ".join(f"{name}: {failure.message}" for name, failure in failed),
        retryable=any(failure.retryable for _, failure in failed),
    )


def names_told(names: Sequence[str], count: int | None = None) -> str:
    """The first few of *names*, and how many more there are of *count*."""
    total = max(len(names), count or 0)
    told = ", ".join(names[:NAMES_TOLD])
    more = total - min(len(names), NAMES_TOLD)
    if more <= 0:
        return told
    return f"{told} and {more} more" if told else f"{total} files"


def without(secrets: Iterable[Secret], text: str) -> str:
    """*text* with every one of *secrets* cut out of it."""
    for secret in secrets:
        if len(secret.reveal()) >= SHORTEST_SECRET:
            text = text.replace(secret.reveal(), "••••")
    return text


def failure_of(error: BaseException, secrets: Iterable[Secret] = ()) -> Failure:
    """*error* for people and programs, with every one of *secrets* cut out of it.

    What is not ours becomes ``internal_error`` with the exception's own text.
    """
    hidden = tuple(secrets)

    def clean(text: str) -> str:
        return without(hidden, text)

    if isinstance(error, HoldfastError):
        message = error.message
        if isinstance(error, RestoreIncompleteError):
            message = f"{message} {names_told(error.failed_files, error.failed_count)}"
        return Failure(
            code=error.code,
            message=clean(message),
            guidance=clean(error.hint),
            detail=clean(error.detail),
            retryable=error.retryable,
        )
    return Failure(
        code="internal_error",
        message="Something went wrong in Holdfast.",
        guidance="The log of the executor has the details.",
        detail=clean(f"{type(error).__name__}: {error}"),
    )


def where_raised(error: BaseException) -> str:
    """File and line of each call that led to *error*, without the values in its text."""
    frames = traceback.extract_tb(error.__traceback__)
    return " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-8:])


def seconds_between(start: datetime, end: datetime) -> float:
    """Never negative, although clocks are set."""
    return max(0.0, (end - start).total_seconds())


def snapshot_tags(work: BackupRequested) -> tuple[str, ...]:
    """The tags of the request, and in any case the one by which a takeover finds its snapshot."""
    return tuple(dict.fromkeys((*work.tags, run_tag(work.run_id))))


def run_tag(run_id: UUID) -> str:
    """The tag of every snapshot that a run makes."""
    return f"run:{run_id}"


def target_named(target: BackupTarget) -> str:
    """How a destination is called in a message."""
    return target.address.name or str(target.address.destination_id)
