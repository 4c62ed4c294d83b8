"""``restic copy``: bring snapshots from another repository into this one."""

import msgspec

from holdfast.kernel.errors import InvalidRequestError
from holdfast.restic.commands import snapshots
from holdfast.restic.environment import from_repository
from holdfast.restic.process import Restic
from holdfast.restic.repository import Repository


class CopyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Which snapshots, by their whole ids, and from where."""

    source: Repository
    snapshot_ids: tuple[str, ...]


class CopyResult(msgspec.Struct, frozen=True, kw_only=True):
    """What is in this repository now."""

    copies: dict[str, snapshots.Snapshot]
    """Id in the source to the snapshot here, those included that were here before."""


def argv(options: CopyOptions) -> tuple[str, ...]:
    """restic's arguments.  Raises InvalidRequestError without ids: that would mean all."""
    if not options.snapshot_ids:
        raise InvalidRequestError("Copying needs the ids of snapshots.")
    return ("copy", "--", *options.snapshot_ids)


async def bring(restic: Restic, options: CopyOptions) -> None:
    """Copy what is missing.  Raises ConflictingCredentialsError for two kinds of S3 keys."""
    environment, secrets = from_repository(options.source, restic.repository)
    await restic.run(argv(options), environment=environment, secrets=secrets)


async def run(restic: Restic, options: CopyOptions) -> CopyResult:
    """``bring``, and say what is here now.

    What restic tells of the copies differs by version and has short ids only, so they
    are looked up: two more calls, for one listing of each repository.
    """
    await bring(restic, options)
    source = Restic(restic.binary, restic.runner, options.source, run_id=restic.run_id)
    asked = snapshots.SnapshotsOptions(ids=options.snapshot_ids)
    here = {_origin(each): each for each in await snapshots.run(restic)}
    there = await snapshots.run(source, asked)
    return CopyResult(
        copies={each.id: here[_origin(each)] for each in there if _origin(each) in here}
    )


def _origin(snapshot: snapshots.Snapshot) -> tuple[str, str]:
    """What a snapshot and its copies have in common."""
    return (snapshot.original or snapshot.id, snapshot.tree)
