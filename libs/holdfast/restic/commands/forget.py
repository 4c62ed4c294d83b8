"""``restic forget``: remove snapshots by their ids.  It frees no space; prune does.

Never with restic's own keep rules: what goes is decided by our plan, so that what a
preview showed is what goes.
"""

import re
from collections.abc import Sequence

import msgspec

from holdfast.kernel.errors import InvalidRequestError
from holdfast.restic.errors import error_of
from holdfast.restic.process import Restic

IDS_AT_ONCE = 1_000
IGNORING = re.compile(rb'^Ignoring "([0-9a-f]{64})"')


class NothingToForgetError(InvalidRequestError):
    """The list of snapshots to forget is empty."""

    code = "nothing_to_forget"


class ForgetOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Which snapshots, by their whole ids of 64 hex digits."""

    snapshot_ids: tuple[str, ...]
    dry_run: bool = False


class ForgetResult(msgspec.Struct, frozen=True, kw_only=True):
    """What is gone now."""

    forgotten: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """Ids that were not there, most often because an earlier attempt got that far."""


def argv(options: ForgetOptions) -> tuple[str, ...]:
    """restic's arguments.

    Raises NothingToForgetError for an empty list, which restic would take for all, and
    InvalidRequestError for anything that is not a whole id.
    """
    if not options.snapshot_ids:
        raise NothingToForgetError
    for snapshot_id in options.snapshot_ids:
        if not re.fullmatch(r"[0-9a-f]{64}", snapshot_id):
            raise InvalidRequestError(f"{snapshot_id!r} is not a whole snapshot id.")
    dry_run = ("--dry-run",) if options.dry_run else ()
    return ("forget", *dry_run, "--", *options.snapshot_ids)


async def run(restic: Restic, options: ForgetOptions) -> ForgetResult:
    """Forget the snapshots.  May be repeated: what is gone already is told as missing.

    Raises RepositoryLockedError while another works in the repository: forget needs it alone.
    """
    argv(options)  # refuse as a whole before the first part goes
    missing: list[str] = []

    def on_error_line(line: bytes) -> None:
        if match := IGNORING.match(line):
            missing.append(match[1].decode())

    for part in _parts(options.snapshot_ids):
        finished = await restic.run(
            argv(ForgetOptions(snapshot_ids=part, dry_run=options.dry_run)),
            on_error_line=on_error_line,
        )
        if finished.exit_code != 0:
            raise error_of(finished.exit_code, finished.tail)
    gone = set(missing)
    return ForgetResult(
        forgotten=tuple(each for each in options.snapshot_ids if each not in gone),
        missing=tuple(missing),
    )


def _parts(ids: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(ids[at : at + IDS_AT_ONCE]) for at in range(0, len(ids), IDS_AT_ONCE)]
