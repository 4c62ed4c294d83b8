"""``restic snapshots``: which snapshots there are."""

from datetime import datetime

import msgspec

from holdfast.restic.messages import BackupSummary
from holdfast.restic.process import Restic, decode


class SnapshotsOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Which to list; nothing means all."""

    tags: tuple[str, ...] = ()
    """A snapshot must have all of them."""
    ids: tuple[str, ...] = ()
    lock: bool = False
    """Without the lock it also works beside a prune, and may then miss a new snapshot."""


DEFAULT = SnapshotsOptions()


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot in the repository, under restic's own names."""

    id: str
    short_id: str
    time: datetime
    tree: str = ""
    parent: str = ""
    paths: tuple[str, ...] = ()
    hostname: str = ""
    username: str = ""
    tags: tuple[str, ...] = ()
    original: str = ""
    """The id it had before its tags were changed or it was copied."""
    program_version: str = ""
    summary: BackupSummary | None = None


def argv(options: SnapshotsOptions) -> tuple[str, ...]:
    """restic's arguments."""
    argv = ["snapshots"] if options.lock else ["snapshots", "--no-lock"]
    if options.tags:
        argv += ["--tag", ",".join(options.tags)]
    return (*argv, "--", *options.ids)


async def run(restic: Restic, options: SnapshotsOptions = DEFAULT) -> tuple[Snapshot, ...]:
    """The snapshots, oldest first.  An id that is not there is passed over by restic."""
    finished = await restic.run(argv(options))
    # No snapshots are null to some versions.
    lines = [line for line in finished.stdout if line != b"null"]
    found = decode(lines, tuple[Snapshot, ...]) if lines else ()
    return tuple(sorted(found, key=lambda snapshot: snapshot.time))
