"""What lies beside a snapshot: dumps of databases, and what the engine told of the containers."""

from uuid import UUID

from holdfast.executor.domain import run_tag
from holdfast.restic import Restic
from holdfast.restic.commands import snapshots
from holdfast.restic.commands.snapshots import Snapshot, SnapshotsOptions
from holdfast.restic.tags import DUMP, dump_tag


def tags_beside(backup_run: UUID) -> tuple[str, str]:
    """Of each snapshot that lies beside the one of that run."""
    return (DUMP, dump_tag(run_tag(backup_run)))


async def beside(restic: Restic, backup_run: UUID) -> tuple[Snapshot, ...]:
    """All of them, oldest first."""
    return await snapshots.run(restic, SnapshotsOptions(tags=tags_beside(backup_run)))
