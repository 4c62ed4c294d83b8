"""``restic cat index``: which packs an index names."""

import msgspec

from holdfast.restic.process import Restic, decode


class _Pack(msgspec.Struct, frozen=True):
    id: str


class _Index(msgspec.Struct, frozen=True):
    packs: tuple[_Pack, ...] = ()


def argv(index_id: str) -> tuple[str, ...]:
    """restic's arguments."""
    return ("cat", "--no-lock", "index", index_id)


async def run(restic: Restic, index_id: str) -> tuple[str, ...]:
    """The names of its packs."""
    finished = await restic.run(argv(index_id))
    return tuple(pack.id for pack in decode(finished.stdout, _Index).packs)
