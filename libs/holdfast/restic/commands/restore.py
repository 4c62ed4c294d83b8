"""``restic restore``: put the files of a snapshot into a directory."""

import re
from collections.abc import Callable
from enum import StrEnum

import msgspec

from holdfast.kernel.errors import InvalidRequestError
from holdfast.restic.errors import (
    ResticOutputError,
    RestoreIncompleteError,
    RestoreUnverifiedError,
    error_of,
)
from holdfast.restic.messages import Message, RestoreSummary, Status, VerboseStatus
from holdfast.restic.patterns import exact_pattern
from holdfast.restic.process import Restic

OnProgress = Callable[[Status], None]
OnAction = Callable[[VerboseStatus], None]

UNVERIFIED = re.compile(r"unexpected content in|invalid file size for", re.IGNORECASE)
"""restic's words when what it reads again is not what it wrote."""


class Overwrite(StrEnum):
    """What happens to a file that is there already."""

    ALWAYS = "always"
    """Its content is read, and what differs of it is written."""
    IF_CHANGED = "if-changed"
    """The same, but one of the right size and time is taken to be right.  A restore that could
    not write all of a file gives it the right size and time nevertheless."""
    IF_NEWER = "if-newer"
    NEVER = "never"


class RestoreOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What to restore and where to."""

    snapshot: str
    target: str
    subfolder: str = ""
    """A directory of the snapshot that becomes the target itself; else full paths lie below it."""
    include: tuple[str, ...] = ()
    """Exact absolute paths, as ``ls`` tells them; none means everything."""
    excludes: tuple[str, ...] = ()
    """restic's patterns, as in backup.  Not together with *include*."""
    overwrite: Overwrite = Overwrite.ALWAYS
    delete: bool = False
    """Remove what is in the target but not in the snapshot."""
    verify: bool = False
    """Read what was written again and compare.  Not together with *dry_run*."""
    sparse: bool = False
    dry_run: bool = False


class RestoreResult(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was asked for is in place."""

    summary: RestoreSummary


def argv(options: RestoreOptions, *, actions: bool = False) -> tuple[str, ...]:
    """restic's arguments.  *actions* makes it tell what it does with every file."""
    if options.include and options.excludes:
        raise InvalidRequestError("A restore takes paths to include or to exclude, not both.")
    snapshot = options.snapshot
    if options.subfolder:
        snapshot = f"{snapshot}:{options.subfolder}"
    argv = ["restore", "--target", options.target, "--overwrite", options.overwrite.value]
    for path in options.include:
        argv += ["--include", exact_pattern(path)]
    for pattern in options.excludes:
        argv += ["--exclude", pattern]
    switches = {
        "--delete": options.delete,
        "--verify": options.verify,
        "--sparse": options.sparse,
        "--dry-run": options.dry_run,
        "--verbose=2": actions,
    }
    argv += [switch for switch, wanted in switches.items() if wanted]
    return (*argv, "--", snapshot)


async def run(
    restic: Restic,
    options: RestoreOptions,
    *,
    on_progress: OnProgress | None = None,
    on_action: OnAction | None = None,
) -> RestoreResult:
    """Restore, or with ``dry_run`` only tell *on_action* what would be done.

    Raises RestoreIncompleteError when some files failed (the others are in place),
    RestoreUnverifiedError when some are not what was written, and SnapshotNotFoundError or
    PathNotFoundError when nothing was done.
    """
    summaries: list[RestoreSummary] = []

    def on_message(message: Message) -> None:
        match message:
            case Status() if on_progress is not None:
                on_progress(message)
            case VerboseStatus() if on_action is not None:
                on_action(message)
            case RestoreSummary():
                summaries.append(message)

    finished = await restic.run(
        argv(options, actions=on_action is not None),
        accept=(0, 1),
        summary=RestoreSummary,
        on_message=on_message,
    )
    if finished.exit_code == 1:
        if finished.item_count:
            unverified = options.verify and UNVERIFIED.search(finished.detail)
            incomplete = RestoreUnverifiedError if unverified else RestoreIncompleteError
            raise incomplete(finished.items, finished.item_count, detail=finished.detail)
        raise error_of(finished.exit_code, finished.tail)
    if not summaries:
        raise ResticOutputError("restic told no summary of the restore.", detail=finished.detail)
    return RestoreResult(summary=summaries[-1])
