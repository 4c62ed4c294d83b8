"""How much a repository stores: two calls to restic, which read its trees but none of its data."""

from holdfast.events.run import RepositoryStats
from holdfast.restic import Restic
from holdfast.restic.commands import stats
from holdfast.restic.commands.stats import StatsOptions


async def measure(restic: Restic) -> RepositoryStats:
    """Without a lock, so beside anything but another's prune.  Raises a ResticError."""
    raw = await stats.run(restic)
    restored = await stats.run(restic, StatsOptions(mode="restore-size"))
    return RepositoryStats(
        raw_size=raw.total_size,
        uncompressed_size=raw.total_uncompressed_size,
        restore_size=restored.total_size,
        snapshots_count=raw.snapshots_count,
        compression_ratio=raw.compression_ratio,
        compression_space_saving=raw.compression_space_saving,
    )
