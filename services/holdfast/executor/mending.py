"""Making snapshots whole with what a sibling's snapshots of the same runs have."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from holdfast.events.queries import ListSnapshots
from holdfast.events.views import SnapshotView
from holdfast.events.work import DestinationAddress
from holdfast.executor import manifest
from holdfast.executor.attempt import Attempt
from holdfast.executor.domain import run_tag
from holdfast.executor.locks import unless_locked
from holdfast.kernel.errors import HoldfastError
from holdfast.restic import Restic
from holdfast.restic.commands import copy, forget, snapshots, stats
from holdfast.restic.commands.copy import CopyOptions
from holdfast.restic.commands.forget import ForgetOptions
from holdfast.restic.commands.hold import shared_lock
from holdfast.restic.commands.snapshots import Snapshot
from holdfast.restic.commands.stats import StatsOptions
from holdfast.restic.errors import RepositoryLockedError, ResticError
from holdfast.restic.tags import MANIFEST
from holdfast.storage.objects import Objects, path_of
from holdfast.telemetry.logs import Log

log = Log("executor")

PAGE = 500


class Sibling(msgspec.Struct, frozen=True, kw_only=True):
    """Another destination that answers."""

    address: DestinationAddress
    restic: Restic
    objects: Objects | None
    """None when objects cannot be carried from it."""


class Mended(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    restored: int = 0
    replaced: dict[str, str] = {}
    lost: tuple[str, ...] = ()


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot that is gone or lacks something."""

    id: str
    run: str
    """The tag that it shares with the other snapshots of its run; empty when it has none."""
    is_here: bool
    tree: str = ""


async def mend_snapshots(
    attempt: Attempt,
    address: DestinationAddress,
    restic: Restic,
    objects: Objects,
    siblings: Sequence[Sibling],
) -> Mended:
    """Find those that are not whole, or not there, and bring what they lack."""
    wanted = await _wanted(attempt, address, restic)
    replaced: dict[str, str] = {}
    open_ = wanted
    for sibling in siblings:
        if not open_:
            break
        try:
            replaced |= await unless_locked(
                attempt,
                address,
                lambda: _bring(restic, objects, sibling, open_),  # noqa: B023 - awaited at once
                exclusive=False,
                beside=[sibling.address],
            )
        except RepositoryLockedError:
            raise
        except HoldfastError as error:
            log.warning("not_mended_from", name=sibling.address.name, error=str(error))
        open_ = [each for each in open_ if not await _is_mended(restic, each, replaced)]
    if attempt.is_takeover:
        await _drop_spares(attempt, address, restic, replaced)
    return Mended(
        restored=len(wanted) - len(open_),
        replaced=replaced,
        lost=tuple(each.id for each in open_),
    )


async def _wanted(attempt: Attempt, address: DestinationAddress, restic: Restic) -> list[Wanted]:
    here = {each.id: each for each in await snapshots.run(restic)}
    hurt = [each for each in here.values() if not await is_whole(restic, each.id)]
    await manifest.renew(attempt, address, restic, [each.id for each in hurt if _is_settings(each)])
    wanted = [
        Wanted(id=each.id, run=_run_of(each), is_here=True, tree=each.tree)
        for each in hurt
        if not _is_settings(each)
    ]
    wanted += [
        Wanted(id=row.restic_snapshot_id, run=run_tag(row.run_id), is_here=False)
        for row in await _on_record(attempt, address)
        if row.restic_snapshot_id and row.restic_snapshot_id not in here
    ]
    return wanted


def _is_settings(snapshot: Snapshot) -> bool:
    return MANIFEST in snapshot.tags


async def _on_record(attempt: Attempt, address: DestinationAddress) -> list[SnapshotView]:
    """What the catalog believes to be there."""
    found: list[SnapshotView] = []
    cursor = None
    while True:
        query = ListSnapshots(destination_id=address.destination_id, limit=PAGE, cursor=cursor)
        page = await attempt.ask(query)
        found += [each for each in page.snapshots if each.forgotten_at is None]
        cursor = page.next_cursor
        if cursor is None:
            return found


async def is_whole(restic: Restic, snapshot_id: str) -> bool:
    """Whether the index knows all that the snapshot needs: restic looks for each blob of it."""
    try:
        await stats.run(restic, StatsOptions(snapshot_ids=(snapshot_id,)))
    except ResticError as error:
        log.info("snapshot_not_whole", id=snapshot_id, error=error.detail)
        return False
    return True


async def _bring(
    restic: Restic, objects: Objects, sibling: Sibling, wanted: Sequence[Wanted]
) -> dict[str, str]:
    """Copy the sibling's snapshots of the same runs; which ones replace one that is gone.

    A copy of a snapshot that is here brings what that one lacks, and goes again; only when
    it is not whole even then (its folders were read at another moment) the copy stays in its
    place.  It is out of the way meanwhile, for restic copies no snapshot twice.
    """
    theirs: dict[str, list[Snapshot]] = defaultdict(list)
    for each in await snapshots.run(sibling.restic):
        if run := _run_of(each):
            theirs[run].append(each)
    pairs = {
        each: _most_alike(theirs[each.run], each.tree)
        for each in wanted
        if each.run and theirs[each.run]
    }
    if not pairs:
        return {}
    before = {each.id for each in await snapshots.run(restic)}
    hurt = [path_of("snapshots", each.id) for each in pairs if each.is_here]
    options = CopyOptions(
        source=sibling.restic.repository,
        snapshot_ids=tuple(dict.fromkeys(each.id for each in pairs.values())),
    )
    # Nobody may prune while a snapshot is out of the way: its data would count as unused.
    async with shared_lock(restic):
        try:
            for path in hurt:
                await objects.set_aside(path)
            copies = (await copy.run(restic, options)).copies
        finally:
            for path in hurt:
                await objects.put_back(path)
    replaced = {}
    for old, one in pairs.items():
        copied = copies.get(one.id)
        mended = old.is_here and await is_whole(restic, old.id)
        if copied is not None and not mended and await is_whole(restic, copied.id):
            replaced[old.id] = copied.id
    spare = {each.id for each in copies.values()} - before - set(replaced.values())
    past_mending = {each.id for each in pairs if each.is_here and each.id in replaced}
    await _forget(restic, spare | past_mending)
    return replaced


async def _drop_spares(
    attempt: Attempt, address: DestinationAddress, restic: Restic, replaced: Mapping[str, str]
) -> None:
    """Forget the copies that an attempt brought and did not live to forget: of a run that has
    its snapshot on record here, with the same content.  They would keep its data for ever."""
    known = {each.restic_snapshot_id or "" for each in await _on_record(attempt, address)}
    known |= set(replaced.values())
    here = await snapshots.run(restic)
    kept = {(_run_of(each), each.tree) for each in here if each.id in known}
    await _forget(
        restic,
        {
            each.id
            for each in here
            if each.original and each.id not in known and (_run_of(each), each.tree) in kept
        },
    )


async def _forget(restic: Restic, ids: set[str]) -> None:
    """What is not needed any more.  If it stays, it is only in the way of nobody."""
    try:
        if ids:
            await forget.run(restic, ForgetOptions(snapshot_ids=tuple(sorted(ids))))
    except ResticError as error:
        log.warning("spare_snapshots_stay", ids=sorted(ids), error=str(error))


def _most_alike(theirs: Sequence[Snapshot], tree: str) -> Snapshot:
    """One with the same content if there is any; another of the same run has most of it."""
    return max(theirs, key=lambda each: each.tree == tree)


async def _is_mended(restic: Restic, wanted: Wanted, replaced: dict[str, str]) -> bool:
    if not wanted.is_here and wanted.id not in replaced:
        return False
    return await is_whole(restic, replaced.get(wanted.id, wanted.id))


def _run_of(snapshot: Snapshot) -> str:
    return next((tag for tag in snapshot.tags if tag.startswith("run:")), "")
