"""Databases are dumped into the repository as they run: a snapshot each, beside the files'.

A dump is streamed, so it is on no disk; and one that fails leaves no snapshot.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from holdfast.devices.base import Program
from holdfast.events.consistency import Quiet
from holdfast.events.work import BackupRequested
from holdfast.executor.attempt import Attempt
from holdfast.executor.beside import tags_beside
from holdfast.executor.consistency.commands import lines_of, runner_of
from holdfast.executor.consistency.engine import engine_of
from holdfast.executor.consistency.rules import Dump, dump_of, sqlite_dump
from holdfast.kernel.errors import HoldfastError
from holdfast.restic import Restic
from holdfast.restic.commands import backup, snapshots
from holdfast.restic.commands.backup import BackupOptions
from holdfast.restic.commands.snapshots import Snapshot, SnapshotsOptions
from holdfast.restic.errors import EmptyDumpError, ResticError
from holdfast.restic.tags import DUMP, dump_tag

ORPHANED = timedelta(days=2)
"""A run has ended after so long."""

COMMAND_FAILED = re.compile("command failed: |failed to start command: ")
"""restic's words, when it is not the repository that is at fault."""

# A file that is written to has its log beside it.
FIND_SQLITE = """
find "$@" -type f -name '*-wal' -size +0c 2>/dev/null | sed 's/-wal$//' |
while IFS= read -r each; do
    [ "$(head -c 15 "$each" 2>/dev/null)" = "SQLite format 3" ] && printf '%s\\n' "$each"
done
true
"""


class DumpFailedError(HoldfastError):
    """A database could not be dumped."""

    code = "dump_failed"
    guidance = "The detail has the database's own words. No backup was made without it."
    retryable = True


async def dumps_of(attempt: Attempt, work: BackupRequested) -> tuple[Dump, ...]:
    """What is to be dumped.  An app that is at rest needs none: its files are whole."""
    wanted = work.consistency
    if wanted is None or wanted.quiet is not Quiet.RUN:
        return ()
    found: list[Dump] = []
    if wanted.dumps and wanted.containers:
        engine = await engine_of(attempt)
        for container in await engine.look(attempt, wanted.containers):
            dump = dump_of(engine.command, container)
            if dump is not None:
                found.append(dump)
    if wanted.sqlite:
        argv = ("sh", "-c", FIND_SQLITE, "find", *work.paths)
        async with runner_of(attempt).start(Program(argv=argv)) as process:
            found += [sqlite_dump(path) for path in await lines_of(process.lines())]
            await process.wait()
    return tuple(found)


async def make_dumps(restic: Restic, work: BackupRequested, dumps: Sequence[Dump]) -> None:
    """A snapshot of each.  *restic* is where the app is.  Raises DumpFailedError."""
    for dump in dumps:
        options = BackupOptions(
            command=dump.argv,
            stdin_filename=dump.filename,
            tags=tags_beside(work.run_id),
            host=work.hostname,
            # The same database's earlier dump.
            group_by="host,paths",
        )
        try:
            await backup.run(restic, options)
        except EmptyDumpError as error:
            # Its empty snapshot goes as one of a run that came to nothing.
            raise DumpFailedError(f"{dump.name} wrote nothing.", detail=error.detail) from error
        except ResticError as error:
            if not COMMAND_FAILED.search(error.detail):
                raise
            raise DumpFailedError(
                f"{dump.name} could not be dumped.", detail=error.detail
            ) from error


async def dumps_beside(restic: Restic, leaving: Sequence[str], now: datetime) -> tuple[str, ...]:
    """The dumps that go with the snapshots *leaving*.

    Those of a run that came to no snapshot go too, unless it may still be at work.
    """
    return dumps_to_go(await snapshots.run(restic, SnapshotsOptions()), leaving, now)


def dumps_to_go(
    found: Sequence[Snapshot], leaving: Sequence[str], now: datetime
) -> tuple[str, ...]:
    """The same, of what was *found* in a repository.  Pure."""
    owners = [each for each in found if DUMP not in each.tags]
    gone = {dump_tag(tag) for each in owners if each.id in leaving for tag in each.tags}
    kept = {dump_tag(tag) for each in owners if each.id not in leaving for tag in each.tags}
    return tuple(
        each.id
        for each in found
        if DUMP in each.tags
        and not kept.intersection(each.tags)
        and (gone.intersection(each.tags) or now - each.time > ORPHANED)
    )
