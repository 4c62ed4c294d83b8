"""``restic find``: which snapshots need a pack or a directory that is damaged."""

import re

import msgspec

from holdfast.restic.process import Restic

OVERLAP = 160
"""Longer than what is looked for: a chunk may end in the middle of it."""

# In a file's name a quote is written with a backslash, so this is never a part of one.
_SNAPSHOT = re.compile(rb'"snapshot":"([0-9a-f]{64})"|belongs to snapshot ([0-9a-f]{64})')


class FindOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for: packs, or else trees (directories); ids, trees' may be short."""

    packs: tuple[str, ...] = ()
    trees: tuple[str, ...] = ()


def argv(options: FindOptions) -> tuple[str, ...]:
    """restic's arguments."""
    kind, ids = ("--pack", options.packs) if options.packs else ("--tree", options.trees)
    return ("find", "--no-lock", kind, "--", *ids)


async def run(restic: Restic, options: FindOptions) -> tuple[str, ...]:
    """The ids of the snapshots that need them.

    As many as could be told: in a damaged repository restic may stop on the way.  It answers
    with a row for every file, so the answer is read as it comes and not kept.
    """
    found: dict[str, None] = {}
    rest = b""
    async with restic.start(
        argv(options), on_error_line=lambda line: _take(line, found)
    ) as running:
        async for chunk in running.chunks():
            rest += chunk
            _take(rest, found)
            rest = rest[-OVERLAP:]
        await running.finish()
    return tuple(found)


def _take(text: bytes, found: dict[str, None]) -> None:
    for ids in _SNAPSHOT.findall(text):
        found.update(dict.fromkeys(each.decode() for each in ids if each))
