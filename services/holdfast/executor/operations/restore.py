"""``restore``: bring files back below a path, and never in place of what is there unless told."""

import os
from pathlib import Path

from holdfast.events.run import RestoreResult, RunStatus
from holdfast.events.work import RestoreRequested
from holdfast.executor.attempt import Attempt, in_thread
from holdfast.executor.domain import Outcome, failure_of, names_told
from holdfast.executor.hold import Reason
from holdfast.executor.locks import unless_locked
from holdfast.executor.obstacles import Target, obstacles
from holdfast.executor.reach import reach
from holdfast.executor.takeover import end_predecessor
from holdfast.kernel.errors import HoldfastError
from holdfast.restic import Restic
from holdfast.restic.commands import ls, restore, snapshots
from holdfast.restic.commands.ls import LsOptions
from holdfast.restic.commands.restore import Overwrite, RestoreOptions
from holdfast.restic.commands.snapshots import SnapshotsOptions
from holdfast.restic.errors import RestoreIncompleteError, SnapshotNotFoundError
from holdfast.restic.messages import Status

UNKNOWN_BYTE = "\N{REPLACEMENT CHARACTER}"


class FilesNotInSnapshotError(HoldfastError):
    """The snapshot has no such files."""

    code = "files_not_in_snapshot"
    guidance = "Nothing was restored. Name the paths exactly as the snapshot lists them."
    status = 422


class WouldOverwriteError(HoldfastError):
    """Files that are there would be changed."""

    code = "would_overwrite"
    guidance = "Nothing was restored. Choose an empty target_path, or allow it with overwrite."
    status = 409


class TargetUnusableError(HoldfastError):
    """The target of a restore is not a directory."""

    code = "target_unusable"
    guidance = "Nothing was restored. Name a directory, or one that does not exist yet."
    status = 422


async def run(attempt: Attempt, work: RestoreRequested) -> Outcome:
    """Everything is checked first; then either all of it is restored or the rest is named."""
    return await attempt.hold.guard(_restore(attempt, work))


async def _restore(attempt: Attempt, work: RestoreRequested) -> Outcome:
    await end_predecessor(attempt)
    return await unless_locked(
        attempt, work.address, lambda: _from_repository(attempt, work), exclusive=False
    )


async def _from_repository(attempt: Attempt, work: RestoreRequested) -> Outcome:
    restic = await reach(attempt, work.address)
    wanted = await wanted_paths(restic, work)
    target = Target(work.target_path)
    if not await in_thread(target.may_be_directory):
        raise TargetUnusableError(f"{work.target_path} is not a directory.")

    begun = Begun(attempt)
    resumes = await in_thread(begun.is_marked)
    if not work.overwrite and not resumes and await in_thread(target.holds_anything):
        in_the_way = await obstacles(restic, work.restic_snapshot_id, wanted, target)
        if in_the_way.count:
            names = names_told(in_the_way.names, in_the_way.count)
            raise WouldOverwriteError(f"These would be changed: {names}.")
    await in_thread(begun.mark)
    options = RestoreOptions(
        snapshot=work.restic_snapshot_id,
        target=work.target_path,
        include=wanted,
        # What our own broken-off attempt half wrote must be written again.
        overwrite=Overwrite.ALWAYS if work.overwrite or resumes else Overwrite.NEVER,
    )
    try:
        return await _write(attempt, work, restic, options)
    finally:
        if attempt.hold.reason not in (Reason.FENCED, Reason.LEAVING):
            begun.clear()


async def _write(
    attempt: Attempt, work: RestoreRequested, restic: Restic, options: RestoreOptions
) -> Outcome:
    def on_progress(status: Status) -> None:
        tell(attempt, work, status)

    await in_thread(lambda: Path(work.target_path).mkdir(parents=True, exist_ok=True))
    try:
        summary = (await restore.run(restic, options, on_progress=on_progress)).summary
    except RestoreIncompleteError as error:
        failure = failure_of(error, attempt.all_secrets())
        return Outcome(status=RunStatus.PARTIAL, failure=failure)
    attempt.progress.tell(
        1.0,
        destination_id=work.address.destination_id,
        files_done=summary.total_files,
        total_files=summary.total_files,
        bytes_done=summary.total_bytes,
        total_bytes=summary.total_bytes,
    )
    return Outcome(
        status=RunStatus.SUCCESS,
        result=RestoreResult(
            restored_path=work.target_path,
            files_restored=summary.files_restored,
            bytes_restored=summary.bytes_restored,
        ),
    )


def tell(attempt: Attempt, work: RestoreRequested, status: Status) -> None:
    """How far it is."""
    attempt.progress.tell(
        status.percent_done,
        destination_id=work.address.destination_id,
        files_done=status.files_restored,
        total_files=status.total_files,
        bytes_done=status.bytes_restored,
        total_bytes=status.total_bytes,
    )


async def wanted_paths(restic: Restic, work: RestoreRequested) -> tuple[str, ...]:
    """The paths to restore: those asked for, or all that was backed up.

    Always named, because restic then walks through a symbolic link above them, where for
    a whole snapshot it would put a directory in the link's place.  Raises
    SnapshotNotFoundError and FilesNotInSnapshotError.
    """
    if not work.files:
        found = await snapshots.run(restic, SnapshotsOptions(ids=(work.restic_snapshot_id,)))
        if not found:
            raise SnapshotNotFoundError
        return () if "/" in found[0].paths else found[0].paths
    files = tuple(dict.fromkeys(path.rstrip("/") or "/" for path in work.files))
    lost = await _not_in_snapshot(restic, work.restic_snapshot_id, files)
    if lost:
        raise FilesNotInSnapshotError(f"Not in the snapshot: {names_told(lost)}.")
    return () if "/" in files else files


async def _not_in_snapshot(
    restic: Restic, snapshot: str, files: tuple[str, ...]
) -> tuple[str, ...]:
    missing = dict.fromkeys(path for path in files if path != "/")
    listable = [path for path in missing if path.startswith("/")]
    if not listable:
        return tuple(missing)
    # A name that restic cannot print cannot be looked up by it either: look at all of them.
    odd = any(UNKNOWN_BYTE in path for path in listable)
    options = LsOptions(snapshot=snapshot, paths=() if odd else tuple(listable))
    async with ls.open_stream(restic, options) as nodes:
        async for node in nodes:
            missing.pop(node.path, None)
            if not missing:
                break
    return tuple(missing)


class Begun:
    """A mark on disk that this run's checks are done and its writing has begun.

    What is in the way afterwards is its own half-written work.  The mark lies in the cache:
    without it a restore that is taken up again is refused, and nothing is harmed.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._path = attempt.deps.cache / "restores" / str(attempt.work.run_id)

    def is_marked(self) -> bool:
        return self._path.exists()

    def mark(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch()
        # A machine that loses power must find the mark if it finds what came after it.
        descriptor = os.open(self._path.parent, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

    def clear(self) -> None:
        self._path.unlink(missing_ok=True)
