"""The dumps beside a snapshot: can each be read, to its end?"""

import posixpath
from collections.abc import Sequence

from holdfast.executor.consistency.environment import FILE as ENVIRONMENT
from holdfast.kernel.errors import HoldfastError
from holdfast.restic import Restic
from holdfast.restic.commands import dump, ls
from holdfast.restic.commands.dump import DumpOptions
from holdfast.restic.commands.ls import LsOptions
from holdfast.restic.commands.snapshots import Snapshot


class DumpNotWholeError(HoldfastError):
    """A dump beside the snapshot is empty, or shorter than the snapshot says."""

    code = "dump_not_whole"
    guidance = "Restore from another snapshot, or another destination, and check this one."
    status = 409


async def read_dumps(restic: Restic, beside: Sequence[Snapshot]) -> int:
    """How many there are; each was read to its end, and so was what the engine told.

    Raises DumpNotWholeError, and what restic raises when some of it cannot be had.
    """
    names = [(each.id, f"/{posixpath.basename(path)}") for each in beside for path in each.paths]
    for snapshot, name in names:
        await _read(restic, snapshot, name)
    return sum(name != f"/{ENVIRONMENT}" for _, name in names)


async def _read(restic: Restic, snapshot: str, name: str) -> None:
    nodes = await ls.run(restic, LsOptions(snapshot=snapshot))
    size = next((each.size for each in nodes if each.path == name), None)
    if not size:
        raise DumpNotWholeError(f"{name} is empty, or not there.")
    read = 0
    async with dump.open_stream(restic, DumpOptions(snapshot=snapshot, path=name)) as chunks:
        async for chunk in chunks:
            read += len(chunk)
    if read != size:
        raise DumpNotWholeError(f"{name}: {read} of {size} bytes.")
