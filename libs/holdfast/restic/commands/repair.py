"""``restic repair``: leave out what is broken, so that the rest can be used.  Alone only."""

from holdfast.kernel.errors import InvalidRequestError
from holdfast.restic.process import Restic


def packs_argv(pack_ids: tuple[str, ...]) -> tuple[str, ...]:
    """restic's arguments.  Raises InvalidRequestError without packs."""
    if not pack_ids:
        raise InvalidRequestError("Repairing needs the names of packs.")
    return ("repair", "packs", "--", *pack_ids)


def index_argv() -> tuple[str, ...]:
    """restic's arguments."""
    return ("repair", "index")


async def repair_packs(restic: Restic, pack_ids: tuple[str, ...], *, keep_in: str) -> None:
    """Save what is whole in these packs into others and remove them; copies stay in *keep_in*."""
    await restic.run(packs_argv(pack_ids), cwd=keep_in)


async def repair_index(restic: Restic) -> None:
    """Have the index name just the packs that are there."""
    await restic.run(index_argv())
