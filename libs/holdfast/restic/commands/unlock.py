"""``restic unlock``: remove stale locks, and only those.

Stale is a lock of a dead process on the same host name, or one older than half an hour.
Removing all would let a prune run beside a backup, so there is no way to ask for it.
"""

from holdfast.restic.process import Restic


def argv() -> tuple[str, ...]:
    """restic's arguments."""
    return ("unlock",)


async def run(restic: Restic) -> None:
    """Remove stale locks; a live one stays.  restic does not tell how many with --json."""
    await restic.run(argv())
