"""The settings that a repository carries along: a tiny snapshot of their own, on no disk in plain.

With them, and the tags of the snapshots, an instance can be rebuilt from the repository alone.
They hold no secrets.
"""

from collections.abc import AsyncIterator, Sequence

import msgspec

from holdfast.events.portable import Export
from holdfast.events.queries import GetManifest, ManifestDue, ManifestKept
from holdfast.events.work import BackupRequested, DestinationAddress
from holdfast.executor.attempt import Attempt
from holdfast.executor.hold import Reason, StoppedError
from holdfast.kernel.errors import HoldfastError, InvalidRequestError
from holdfast.restic import Restic
from holdfast.restic.commands import backup, dump, forget, snapshots
from holdfast.restic.commands.backup import BackupOptions
from holdfast.restic.commands.dump import DumpOptions
from holdfast.restic.commands.forget import ForgetOptions
from holdfast.restic.commands.snapshots import SnapshotsOptions
from holdfast.restic.tags import MANIFEST
from holdfast.telemetry.logs import Log

log = Log("executor")

FILE = "holdfast-manifest.json"
KEPT = 3
"""So many stay when space is freed: the newest may have been written by a bad day."""

MOST_BYTES = 32 * 1024 * 1024


async def carry_settings(attempt: Attempt, work: BackupRequested) -> None:
    """Write the settings to the backup's destinations that do not carry them as they are now.

    The backup is told already, and stays what it is when this goes wrong.  Whoever dies between
    the snapshot and the word on it leaves a second one like it, which does no harm.
    """
    addresses = {each.address.destination_id: each.address for each in work.targets}
    try:
        due: ManifestDue = await attempt.deps.bus.request(
            GetManifest(destination_ids=tuple(addresses))
        )
        if due.export is None:
            return
        for destination_id in due.destination_ids:
            await attempt.hold.guard(_carry(attempt, work, addresses[destination_id], due))
    except StoppedError as stopped:
        if stopped.reason is not Reason.CANCELLED:
            raise
    except HoldfastError as error:
        log.warning("settings_not_carried", run_id=str(work.run_id), error=str(error))


async def _carry(
    attempt: Attempt, work: BackupRequested, address: DestinationAddress, due: ManifestDue
) -> None:
    options = BackupOptions(
        content=msgspec.json.encode(due.export),
        stdin_filename=FILE,
        tags=(MANIFEST,),
        host=work.hostname,
    )
    try:
        await backup.run(attempt.restic(address), options)
    except HoldfastError as error:
        # Another destination may take them; this one is asked again after the next backup.
        log.warning(
            "settings_not_carried", run_id=str(work.run_id), error=str(error), detail=error.detail
        )
        return
    kept = ManifestKept(destination_id=address.destination_id, digest=due.digest)
    await attempt.deps.bus.request(kept)


async def newest(restic: Restic) -> Export | None:
    """The settings that the repository carries; None: it carries none.

    Raises InvalidRequestError when they cannot be read.
    """
    found = await snapshots.run(restic, SnapshotsOptions(tags=(MANIFEST,)))
    if not found:
        return None
    async with dump.open_stream(
        restic, DumpOptions(snapshot=found[-1].id, path=f"/{FILE}")
    ) as all_:
        content = await _all(all_)
    try:
        return msgspec.json.decode(content, type=Export)
    except msgspec.MsgspecError as error:
        raise InvalidRequestError(
            "The settings in the repository cannot be read.",
            guidance="They may be a later release's: update Holdfast first.",
            detail=str(error),
        ) from error


async def renew(
    attempt: Attempt, address: DestinationAddress, restic: Restic, lost: Sequence[str]
) -> None:
    """Settings that cannot be read any more go; the next backup carries them anew."""
    if not lost:
        return
    # In this order: who dies in between has them written once too often.
    await attempt.ask(ManifestKept(destination_id=address.destination_id, digest=""))
    await forget.run(restic, ForgetOptions(snapshot_ids=tuple(lost)))


async def drop_old(restic: Restic) -> None:
    """Forget all but the last few.  The caller has the repository for itself."""
    found = await snapshots.run(restic, SnapshotsOptions(tags=(MANIFEST,)))
    old = tuple(each.id for each in found[:-KEPT])
    if old:
        await forget.run(restic, ForgetOptions(snapshot_ids=old))


async def _all(chunks: AsyncIterator[bytes]) -> bytes:
    content = bytearray()
    async for chunk in chunks:
        content += chunk
        if len(content) > MOST_BYTES:
            raise InvalidRequestError("The settings in the repository are too large to be ours.")
    return bytes(content)
