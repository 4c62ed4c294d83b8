"""``restic stats``: how much a repository stores."""

import msgspec

from holdfast.restic.process import Restic, decode


class StatsOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Of what.  ``raw-data`` is what the repository stores, ``restore-size`` what came in."""

    mode: str = "raw-data"
    snapshot_ids: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


DEFAULT = StatsOptions()


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in bytes.  The compressed ones are known with ``raw-data`` only."""

    total_size: int = 0
    total_uncompressed_size: int = 0
    compression_ratio: float = 0.0
    compression_space_saving: float = 0.0
    total_blob_count: int = 0
    total_file_count: int = 0
    snapshots_count: int = 0


def argv(options: StatsOptions) -> tuple[str, ...]:
    """restic's arguments."""
    argv = ["stats", "--no-lock", "--mode", options.mode]
    if options.tags:
        argv += ["--tag", ",".join(options.tags)]
    return (*argv, "--", *options.snapshot_ids)


async def run(restic: Restic, options: StatsOptions = DEFAULT) -> Stats:
    """The numbers.  restic reads the trees of all these snapshots for them."""
    finished = await restic.run(argv(options))
    return decode(finished.stdout, Stats)
