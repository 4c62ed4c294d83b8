"""``protect``: have Object Lock hold what a repository consists of."""

from contextlib import suppress
from pathlib import Path

import msgspec

from holdfast.events.run import ProtectResult, RunStatus
from holdfast.events.work import ProtectRequested
from holdfast.executor.attempt import Attempt, in_thread
from holdfast.executor.domain import Outcome, failure_of, names_told
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.private_file import replace_private
from holdfast.storage.lock_errors import RepositoryOverwrittenError
from holdfast.storage.s3_versions import Ledger


async def run(attempt: Attempt, work: ProtectRequested) -> Outcome:
    """A run that is broken off leaves what it did; the next one does the rest."""
    return await attempt.hold.guard(_protect(attempt, work))


async def _protect(attempt: Attempt, work: ProtectRequested) -> Outcome:
    lock = work.address.object_lock
    if lock is None:
        return Outcome(status=RunStatus.SUCCESS)
    path = attempt.deps.cache / "retention" / f"{work.address.destination_id}.json"
    ledger = await in_thread(lambda: read_ledger(path))
    try:
        done = await attempt.vault(work.address).keep_up(lock, attempt.deps.now, ledger)
    finally:
        write_ledger(path, ledger)
    result = ProtectResult(
        retained=done.retained,
        renewed=done.renewed,
        swept=done.swept,
        swept_bytes=done.swept_bytes,
    )
    error: HoldfastError | None = done.sweep_refused
    if done.overwritten:
        error = RepositoryOverwrittenError(
            f"{len(done.overwritten)} objects of the repository were replaced by something "
            f"else: {names_told(done.overwritten)}."
        )
    if error is None:
        return Outcome(status=RunStatus.SUCCESS, result=result)
    return Outcome(status=RunStatus.PARTIAL, failure=failure_of(error), result=result)


def read_ledger(path: Path) -> Ledger:
    """Empty when it is missing or damaged: it saves requests, nothing depends on it."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Ledger)
    except (OSError, msgspec.MsgspecError):
        return {}


def write_ledger(path: Path, ledger: Ledger) -> None:
    """Whole or not at all; a full disk is no reason to call what is held not held."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_private(path, msgspec.json.encode(ledger))
