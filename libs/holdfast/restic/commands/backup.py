"""``restic backup``: read files, or a command's output, into a new snapshot."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from holdfast.kernel.errors import InvalidRequestError
from holdfast.restic.errors import EmptyDumpError, ResticOutputError
from holdfast.restic.messages import BackupSummary, Message, Status
from holdfast.restic.process import Restic
from holdfast.restic.tags import valid_tag

MAX_ARGUMENTS = 64 * 1024
"""Bytes of paths that go as arguments; more go through standard input."""

OnProgress = Callable[[Status], None]


class BackupOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What to back up and how.  One of *paths*, *command* and *content*."""

    paths: tuple[str, ...] = ()
    cwd: str | None = None
    """Where relative paths start.  ``.`` keeps a mount point that changes out of the snapshot."""
    command: tuple[str, ...] = ()
    """A program whose output is the one file of the snapshot; if it fails there is none."""
    content: bytes = b""
    """What the one file of the snapshot holds: small things, that are on no disk."""
    stdin_filename: str = "stdin"
    tags: tuple[str, ...] = ()
    host: str = ""
    excludes: tuple[str, ...] = ()
    """restic's patterns, not plain paths."""
    exclude_caches: bool = False
    exclude_if_present: tuple[str, ...] = ()
    one_file_system: bool = False
    skip_if_unchanged: bool = False
    ignore_inode: bool = False
    group_by: str = "tags"
    """What makes an earlier snapshot the parent; tags keep it when paths or host change."""
    parent: str = ""
    time: datetime | None = None
    """Aware.  restic takes it in its machine's zone, so give the runner's, see ``argv``."""
    read_concurrency: int = 0
    dry_run: bool = False


class BackupResult(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that ended with a snapshot, or with none because nothing changed."""

    summary: BackupSummary
    partial: bool = False
    """A snapshot exists, but some of the files could not be read or were not there."""
    unreadable: tuple[str, ...] = ()
    """Their names, a hundred at most."""
    unreadable_count: int = 0
    detail: str = ""

    @property
    def snapshot_id(self) -> str:
        """64 hex digits, or empty when nothing changed and that was to be skipped."""
        return self.summary.snapshot_id


def argv(options: BackupOptions) -> tuple[str, ...]:
    """restic's arguments.

    Raises InvalidRequestError for a tag or path that cannot be passed on.
    """
    argv = ["backup", "--group-by", options.group_by]
    for tag in options.tags:
        argv += ["--tag", valid_tag(tag)]
    if options.host:
        argv += ["--host", options.host]
    for pattern in options.excludes:
        argv += ["--exclude", pattern]
    for name in options.exclude_if_present:
        argv += ["--exclude-if-present", name]
    if options.parent:
        argv += ["--parent", options.parent]
    if options.time is not None:
        argv += ["--time", options.time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")]
    if options.read_concurrency:
        argv += ["--read-concurrency", str(options.read_concurrency)]
    switches = {
        "--exclude-caches": options.exclude_caches,
        "--one-file-system": options.one_file_system,
        "--skip-if-unchanged": options.skip_if_unchanged,
        "--ignore-inode": options.ignore_inode,
        "--dry-run": options.dry_run,
    }
    argv += [switch for switch, wanted in switches.items() if wanted]
    return (*argv, *_sources(options))


def stdin(options: BackupOptions) -> bytes:
    """What goes to standard input: the content, or paths that are too many for arguments."""
    if options.content:
        return options.content
    if not _too_many(options):
        return b""
    return b"".join(path.encode(errors="surrogateescape") + b"\0" for path in options.paths)


async def run(
    restic: Restic, options: BackupOptions, *, on_progress: OnProgress | None = None
) -> BackupResult:
    """Make a snapshot.  *on_progress* is called a few times a second.

    Raises SourceMissingError when no path exists, EmptyDumpError when the command wrote
    nothing, and ResticFailedError when it failed: there is no snapshot of half a dump.
    """
    summaries: list[BackupSummary] = []

    def on_message(message: Message) -> None:
        match message:
            case Status() if on_progress is not None:
                on_progress(message)
            case BackupSummary():
                summaries.append(message)

    finished = await restic.run(
        argv(options),
        accept=(0, 3),
        summary=BackupSummary,
        on_message=on_message,
        stdin=stdin(options),
        cwd=options.cwd,
        # --time has no zone of its own.
        environment={} if options.time is None else {"TZ": "UTC"},
    )
    if not summaries:
        raise ResticOutputError("restic told no summary of the backup.", detail=finished.detail)
    partial = finished.exit_code == 3
    if partial and options.command:
        raise EmptyDumpError(summaries[-1].snapshot_id, detail=finished.detail)
    return BackupResult(
        summary=summaries[-1],
        partial=partial,
        unreadable=finished.items,
        unreadable_count=finished.item_count,
        detail=finished.detail,
    )


def _sources(options: BackupOptions) -> tuple[str, ...]:
    if [bool(options.paths), bool(options.command), bool(options.content)].count(True) != 1:
        raise InvalidRequestError("A backup needs either paths, or a command, or content.")
    if options.content:
        return ("--stdin", "--stdin-filename", options.stdin_filename)
    if options.command:
        return (
            "--stdin-from-command", "--stdin-filename", options.stdin_filename,
            "--", *options.command,
        )  # fmt: skip
    if any(not path or "\0" in path for path in options.paths):
        raise InvalidRequestError("A path to back up is empty or holds a NUL character.")
    if _too_many(options):
        return ("--files-from-raw", "/dev/stdin")
    return ("--", *options.paths)


def _too_many(options: BackupOptions) -> bool:
    return sum(len(path) + 1 for path in options.paths) > MAX_ARGUMENTS
