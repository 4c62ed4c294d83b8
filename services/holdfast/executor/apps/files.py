"""An app's files come from the snapshot to their places."""

from collections.abc import Sequence
from functools import partial

import msgspec

from holdfast.events.work import AppRestoreRequested
from holdfast.executor.apps.hand import Hand
from holdfast.executor.apps.plan import Place
from holdfast.executor.attempt import Attempt
from holdfast.executor.there import with_restic
from holdfast.restic import Restic
from holdfast.restic.commands import restore
from holdfast.restic.commands.restore import RestoreOptions
from holdfast.restic.messages import Status


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """How much."""

    files: int
    bytes: int


async def bring_files(
    attempt: Attempt,
    work: AppRestoreRequested,
    restic: Restic,
    hand: Hand,
    places: Sequence[Place],
) -> Brought:
    """All of it.  Raises RestoreIncompleteError when some could not be written."""
    wanted = options_of(work.restic_snapshot_id, places)

    def tell(number: int, status: Status) -> None:
        fraction = (number + status.percent_done) / len(wanted)
        attempt.progress.tell_restored(status, work.address.destination_id, fraction)

    async def use(there: Restic) -> Brought:
        files = bytes = 0
        for number, options in enumerate(wanted):
            on_progress = partial(tell, number)
            done = await restore.run(there, options, on_progress=on_progress)
            files += done.summary.files_restored
            bytes += done.summary.bytes_restored
        return Brought(files=files, bytes=bytes)

    # Places first: of one that goes elsewhere restic restores only what is in it.
    for place in places:
        if place.path != place.source and place.is_folder:
            await hand.like(place.path, place.owner, place.mode)
    return await with_restic(attempt, work.address, restic, use)


def options_of(snapshot: str, places: Sequence[Place]) -> tuple[RestoreOptions, ...]:
    """What goes to where it was in one go, then each that goes elsewhere.  Pure."""
    same = tuple(each.source for each in places if each.path == each.source)
    moved = tuple(each for each in places if each.path != each.source)
    options = [RestoreOptions(snapshot=snapshot, target="/", include=same)] if same else []
    options += [
        RestoreOptions(snapshot=snapshot, target=each.path, subfolder=each.source) for each in moved
    ]
    return tuple(options)
