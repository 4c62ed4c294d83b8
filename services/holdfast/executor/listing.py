"""Telling the catalog which files a snapshot has, so that it can be browsed without its repository.

Done after a backup, when all else is told: a backup is not worth less without it, and what is
missing is told when somebody asks for it.
"""

from collections.abc import Iterable, Sequence

from holdfast.events.listing import FolderPage, KnownFolder, Root
from holdfast.events.queries import AskFolders, AskListing, KeepFolders, KeepListing
from holdfast.executor.attempt import Attempt
from holdfast.executor.domain import Listable
from holdfast.executor.folders import Folders
from holdfast.executor.hold import Reason, StoppedError
from holdfast.kernel.errors import HoldfastError
from holdfast.restic import Restic
from holdfast.restic.commands import ls
from holdfast.telemetry.logs import Log

log = Log("executor")

BATCH_BYTES = 300_000
"""The bus takes a megabyte, of which text around bytes is a third."""

BATCH_FOLDERS = 2000


async def list_made(attempt: Attempt, made: Iterable[Listable]) -> None:
    """Tell the files of snapshots that were just made; what goes wrong is only logged."""
    try:
        for each in made:
            question = AskListing(snapshot_id=each.snapshot_id, tree=each.tree)
            if (await attempt.deps.bus.request(question)).wanted:
                await attempt.hold.guard(tell_files(attempt, attempt.restic(each.address), each))
    except StoppedError as stopped:
        if stopped.reason is not Reason.CANCELLED:
            raise
    except HoldfastError as error:
        run_id = str(attempt.work.run_id)
        log.warning("files_not_listed", run_id=run_id, error=str(error), detail=error.detail)


async def tell_files(attempt: Attempt, restic: Restic, snapshot: Listable) -> Root | None:
    """Read the snapshot's list and have it kept; None: one with the same content is.

    Raises what restic and the catalog raise; done again, it goes on from what is kept.
    """
    async with ls.open_listing(restic, snapshot.restic_snapshot_id) as listing:
        question = AskListing(snapshot_id=snapshot.snapshot_id, tree=listing.tree)
        if not (await attempt.deps.bus.request(question)).wanted:
            return None
        folders = Folders()
        batch = _Batch(attempt)
        async for node in listing.nodes:
            for pages in folders.add(node):
                await batch.add(pages)
        for pages in folders.finish():
            await batch.add(pages)
        await batch.send()
        root = folders.root(pages[0].folder)
        await attempt.deps.bus.request(
            KeepListing(snapshot_id=snapshot.snapshot_id, tree=listing.tree, root=root)
        )
        return root


class _Batch:
    """Folders on their way: those that are kept already are not sent."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._folders: dict[bytes, tuple[FolderPage, ...]] = {}
        self._bytes = 0

    async def add(self, pages: tuple[FolderPage, ...]) -> None:
        self._folders[pages[0].folder] = pages
        self._bytes += sum(_size(each) for each in pages)
        if self._bytes >= BATCH_BYTES or len(self._folders) >= BATCH_FOLDERS:
            await self.send()

    async def send(self) -> None:
        if not self._folders:
            return
        asked = tuple(
            KnownFolder(id=id, last_page=pages[-1].page) for id, pages in self._folders.items()
        )
        unknown = (await self._attempt.deps.bus.request(AskFolders(folders=asked))).ids
        for some in _parts([page for id in unknown for page in self._folders[id]]):
            await self._attempt.deps.bus.request(KeepFolders(pages=some))
        self._folders.clear()
        self._bytes = 0


def _parts(pages: Sequence[FolderPage]) -> Iterable[tuple[FolderPage, ...]]:
    part: list[FolderPage] = []
    size = 0
    for each in pages:
        if part and size + _size(each) > BATCH_BYTES:
            yield tuple(part)
            part, size = [], 0
        part.append(each)
        size += _size(each)
    if part:
        yield tuple(part)


def _size(page: FolderPage) -> int:
    return 150 + len(page.first_key) + len(page.entries) + 30 * len(page.folders)
