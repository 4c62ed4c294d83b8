"""Questions about the files of snapshots, and the executors' word on them."""

from datetime import timedelta
from uuid import UUID

from holdfast.catalog.answers.snapshots import absolute, restorable
from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.cursor import checked_limit
from holdfast.catalog.store import destinations, files, runs
from holdfast.catalog.store.pool import Connection, reading, transaction
from holdfast.events.listing import PAGE_ENTRIES, Entry, Root, key_of
from holdfast.events.queries import (
    AskFolders,
    AskListing,
    FoldersUnknown,
    KeepFolders,
    KeepListing,
    ListFiles,
    ListingWanted,
)
from holdfast.events.queries.base import Done
from holdfast.events.run import Operation
from holdfast.events.views import FilePage, FileView, SnapshotView
from holdfast.events.work import ListFilesRequested
from holdfast.kernel.errors import ConflictError, InvalidRequestError, NotFoundError
from holdfast.kernel.ids import derived_id, new_id

NOT_AGAIN_WITHIN = timedelta(minutes=1)
"""A repository that could not be asked."""


class FilesNotListedYetError(ConflictError):
    """The files of this snapshot are not known here yet."""

    code = "files_not_listed_yet"
    guidance = "Its repository is being asked now. Ask again in a moment."
    retryable = True


class FilesUnknownError(ConflictError):
    """The files of this snapshot are not known here, and its repository could not be asked."""

    code = "files_unknown"
    guidance = "Its repository is asked again after a minute. Is the destination there?"
    retryable = True


class NoSuchFolderError(NotFoundError):
    """The snapshot has no such folder."""

    code = "no_such_folder"
    guidance = "Begin at / and go down from there."


async def answer_list_files(query: ListFiles, deps: Deps) -> FilePage:
    """A page of a folder, from what is kept here: the repository may be busy, or away.

    Of a snapshot that is not listed yet a run asks the repository: FilesNotListedYetError.
    """
    limit = checked_limit(query.limit)
    path = absolute(query.path, "path", may_be_relative=True)
    start = _place(query.cursor)
    async with reading(deps.pool) as connection:
        root = await files.root_of(connection, query.snapshot_id)
        if root is not None:
            folder = await _folder_at(connection, root, path)
            entries = await _entries(connection, folder, start, limit + 1)
            return _page(root, path, entries, start, limit)
    async with transaction(deps.pool) as connection:
        snapshot, restic_snapshot_id = await restorable(connection, query.snapshot_id)
        run_id = await _queue(connection, snapshot, restic_snapshot_id, deps)
    deps.wake.set()
    raise FilesNotListedYetError(detail=f"run {run_id}")


def _place(cursor: str | None) -> int:
    """How many entries of the folder come before a page."""
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 12):
        raise InvalidRequestError(
            "cursor: this is not one of ours.", guidance="Use next_cursor of the page before."
        )
    return int(cursor)


async def _folder_at(connection: Connection, root: Root, path: str) -> bytes:
    folder = root.folder
    for name in filter(None, path.split("/")):
        entry = await files.find(connection, folder, key_of(name, is_folder=True))
        if entry is None:
            if await files.find(connection, folder, key_of(name, is_folder=False)):
                raise NoSuchFolderError(f"{path!r} is no folder, or lies below a file.")
            raise NoSuchFolderError(f"The snapshot has no folder {path!r}.")
        folder = entry.folder
    return folder


async def _entries(
    connection: Connection, folder: bytes, start: int, count: int
) -> tuple[Entry, ...]:
    """So many of a folder's entries; fewer at its end."""
    page, skip = divmod(start, PAGE_ENTRIES)
    found: list[Entry] = []
    while len(found) < skip + count:
        more = await files.entries_at(connection, folder, page)
        found += more
        page += 1
        if len(more) < PAGE_ENTRIES:
            break
    return tuple(found[skip : skip + count])


def _page(root: Root, path: str, entries: tuple[Entry, ...], start: int, limit: int) -> FilePage:
    above = path.rstrip("/")
    return FilePage(
        path=path,
        files=tuple(
            FileView(
                name=each.name,
                path=f"{above}/{each.name}",
                type=each.type,
                size=each.size,
                permissions=each.permissions,
                uid=each.uid,
                gid=each.gid,
                mtime=each.mtime,
                files=each.files,
            )
            for each in entries[:limit]
        ),
        total_files=root.files,
        total_size=root.size,
        next_cursor=str(start + limit) if len(entries) > limit else None,
    )


async def _queue(
    connection: Connection, snapshot: SnapshotView, restic_snapshot_id: str, deps: Deps
) -> UUID:
    """The run that asks the repository; however often somebody looks, it is one at a time."""
    await runs.lock_admission(connection)
    last = await runs.newest_listing(connection, snapshot.id)
    if last is not None and not last.status.is_outcome:
        return last.id
    # Whoever asks again and again does not have the repository asked as often.
    if last is not None and last.failure and last.ended_after(deps.now() - NOT_AGAIN_WITHIN):
        raise FilesUnknownError(last.failure.message, detail=last.failure.detail)
    run_id = new_id()
    addresses = await destinations.addresses(connection, [snapshot.destination_id])
    work = ListFilesRequested(
        event_id=derived_id(ListFilesRequested.TYPE, run_id),
        occurred_at=deps.now(),
        run_id=run_id,
        site=await destinations.site_of(connection, snapshot.destination_id, deps.settings.site),
        address=addresses[snapshot.destination_id],
        snapshot_id=snapshot.id,
        restic_snapshot_id=restic_snapshot_id,
    )
    await runs.enqueue(connection, runs.NewRun(operation=Operation.LIST_FILES, work=work))
    return run_id


async def answer_ask_listing(query: AskListing, deps: Deps) -> ListingWanted:
    """Whether an executor is to tell the files of a snapshot."""
    async with transaction(deps.pool) as connection:
        await files.learn_tree(connection, query.snapshot_id, query.tree)
        listed = await files.is_listed(connection, query.snapshot_id, query.tree)
    return ListingWanted(wanted=not listed)


async def answer_ask_folders(query: AskFolders, deps: Deps) -> FoldersUnknown:
    """Which of them it is to send."""
    async with transaction(deps.pool) as connection:
        kept = await files.touch(connection, query.folders, deps.now())
    return FoldersUnknown(ids=tuple(each.id for each in query.folders if each.id not in kept))


async def answer_keep_folders(query: KeepFolders, deps: Deps) -> Done:
    """Keep what it sent."""
    async with transaction(deps.pool) as connection:
        await files.keep_pages(connection, query.pages, deps.now())
    return Done()


async def answer_keep_listing(query: KeepListing, deps: Deps) -> Done:
    """From now on the snapshot can be browsed, and all others of the same content."""
    async with transaction(deps.pool) as connection:
        await files.keep_listing(connection, query.tree, query.root, deps.now())
        await files.learn_tree(connection, query.snapshot_id, query.tree)
    return Done()
