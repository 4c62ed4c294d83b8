"""``restic prune``: free the space that no snapshot needs.  Dear, and alone in the repository."""

import re
from collections.abc import Sequence

import msgspec

from holdfast.restic.process import Restic

UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "PiB": 1 << 50}
ROW = re.compile(
    r"^\s*(?P<what>to repack|this removes|to delete|total prune|remaining)"
    r":\s+(?P<blobs>\d+) blobs / (?P<size>[\d.]+) (?P<unit>[KMGTP]?i?B)"
)


class PruneOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How much to do.  Sizes in restic's words: ``10G``, ``5%``, ``unlimited``."""

    max_unused: str = ""
    """Unused data to leave; ``unlimited`` deletes whole packs only, which is cheap."""
    max_repack_size: str = ""
    """How much to rewrite in one go."""
    repack_cacheable_only: bool = False
    dry_run: bool = False


DEFAULT = PruneOptions()


class PruneResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, or with ``dry_run`` would be.

    Bytes, but rounded: restic tells them for people, with three digits after the point.
    """

    repacked: int = 0
    freed: int = 0
    remaining: int = 0
    text: str = ""


def argv(options: PruneOptions) -> tuple[str, ...]:
    """restic's arguments."""
    argv = ["prune"]
    if options.max_unused:
        argv += ["--max-unused", options.max_unused]
    if options.max_repack_size:
        argv += ["--max-repack-size", options.max_repack_size]
    if options.repack_cacheable_only:
        argv.append("--repack-cacheable-only")
    if options.dry_run:
        argv.append("--dry-run")
    return tuple(argv)


def parse(lines: Sequence[bytes]) -> PruneResult:
    """The numbers in restic's report, which is text even with --json."""
    rows: dict[str, int] = {}
    texts = [line.decode(errors="replace") for line in lines]
    for text in texts:
        if match := ROW.match(text):
            rows[match["what"]] = round(float(match["size"]) * UNITS[match["unit"]])
    return PruneResult(
        repacked=rows.get("to repack", 0),
        freed=rows.get("total prune", 0),
        remaining=rows.get("remaining", 0),
        text="\n".join(text for text in texts if text and not text.startswith("[")),
    )


async def run(restic: Restic, options: PruneOptions = DEFAULT) -> PruneResult:
    """Free space.  It may be interrupted at any moment; the next one finishes it."""
    finished = await restic.run(argv(options))
    return parse(finished.stdout)
