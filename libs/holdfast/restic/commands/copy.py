"""``restic copy``: bring snapshots from another repository into this one."""

import re

import msgspec

from holdfast.kernel.errors import InvalidRequestError
from holdfast.restic.environment import from_repository
from holdfast.restic.process import Restic
from holdfast.restic.repository import Repository

SAVED = re.compile(r"^snapshot ([0-9a-f]+) saved, copied from source snapshot ([0-9a-f]+)")


class CopyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Which snapshots and from where."""

    source: Repository
    snapshot_ids: tuple[str, ...]


class CopyResult(msgspec.Struct, frozen=True, kw_only=True):
    """Short id of the source to short id of the copy; restic tells no whole ones here.

    A snapshot that was copied before is not among them.
    """

    copied: dict[str, str]


def argv(options: CopyOptions) -> tuple[str, ...]:
    """restic's arguments.  Raises InvalidRequestError without ids: that would mean all."""
    if not options.snapshot_ids:
        raise InvalidRequestError("Copying needs the ids of snapshots.")
    return ("copy", "--", *options.snapshot_ids)


async def run(restic: Restic, options: CopyOptions) -> CopyResult:
    """Copy what is missing.  Raises ConflictingCredentialsError for two kinds of S3 keys."""
    environment, secrets = from_repository(options.source, restic.repository)
    finished = await restic.run(argv(options), environment=environment, secrets=secrets)
    texts = (line.decode(errors="replace") for line in finished.stdout)
    matches = (SAVED.match(text) for text in texts)
    return CopyResult(copied={match[2]: match[1] for match in matches if match})
