"""Lists of files: queued when somebody looks, kept once, dropped with the last snapshot."""

import asyncio
from datetime import timedelta

import pytest

from holdfast.catalog.answers.files import (
    FilesNotListedYetError,
    FilesUnknownError,
    answer_ask_folders,
    answer_ask_listing,
    answer_keep_folders,
    answer_keep_listing,
    answer_list_files,
)
from holdfast.catalog.answers.runs import answer_list_runs
from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import on_run_completed, on_snapshot_completed
from holdfast.catalog.sweeping import SPARED, Sweeper
from holdfast.events.listing import KnownFolder, Root
from holdfast.events.queries import (
    AskFolders,
    AskListing,
    KeepFolders,
    KeepListing,
    ListFiles,
    ListRuns,
)
from holdfast.events.run import Operation, RunStatus
from holdfast.events.views import RunView
from holdfast.executor.folders import Folders
from holdfast.restic.commands.ls import Node
from support.catalog import Clock
from support.runs import (
    STAYS,
    Protected,
    claimed,
    protected_app,
    run_ended,
    snapshot_made,
    started,
)

pytestmark = pytest.mark.postgres


async def a_snapshot(deps: Deps, clock: Clock, protected: Protected, **fields: str) -> RunView:
    run = await started(deps, protected)
    claim = (await claimed(deps, run.id)).claim
    await on_snapshot_completed(snapshot_made(run, claim, clock(), **fields), deps)
    await on_run_completed(run_ended(run, claim, clock()), deps)
    return run


async def told(deps: Deps, run: RunView, tree: str, *files: str) -> Root:
    """As an executor tells that the snapshot has those files in the folders /a and /b."""
    folders = Folders()
    given = []
    for top in ("/a", "/b"):
        given += list(folders.add(Node(name=top[1:], path=top, type="dir")))
        for path in files:
            if path.startswith(top):
                given += list(folders.add(Node(name=path[3:], path=path, type="file", size=1)))
    given += list(folders.finish())
    known = tuple(KnownFolder(id=each[0].folder, last_page=each[-1].page) for each in given)
    unknown = (await answer_ask_folders(AskFolders(folders=known), deps)).ids
    pages = tuple(page for each in given for page in each if page.folder in unknown)
    await answer_keep_folders(KeepFolders(pages=pages), deps)
    root = folders.root(given[-1][0].folder)
    await answer_keep_listing(
        KeepListing(snapshot_id=run.snapshot_ids[0], tree=tree, root=root), deps
    )
    return root


async def names(deps: Deps, run: RunView, path: str) -> list[str]:
    page = await answer_list_files(ListFiles(snapshot_id=run.snapshot_ids[0], path=path), deps)
    return [each.name for each in page.files]


async def folders_kept(deps: Deps) -> int:
    return int(await deps.pool.fetchval("select count(*) from folder"))


async def listings(deps: Deps) -> tuple[RunView, ...]:
    return (await answer_list_runs(ListRuns(operation=Operation.LIST_FILES), deps)).runs


async def test_who_looks_first_has_the_repository_asked_once(deps: Deps, clock: Clock) -> None:
    run = await a_snapshot(deps, clock, await protected_app(deps))
    for _ in range(3):
        with pytest.raises(FilesNotListedYetError):
            await names(deps, run, "/")
    (listing,) = await listings(deps)

    claim = (await claimed(deps, listing.id)).claim
    ended = run_ended(listing, claim, clock(), status=RunStatus.FAILED, failure=STAYS)
    await on_run_completed(ended, deps)
    for _ in range(2):
        with pytest.raises(FilesUnknownError) as unknown:
            await names(deps, run, "/")
        assert STAYS.message in str(unknown.value)
    assert len(await listings(deps)) == 1

    clock.advance(seconds=61)
    with pytest.raises(FilesNotListedYetError):
        await names(deps, run, "/")
    assert len(await listings(deps)) == 2


async def test_a_tree_that_is_listed_is_not_listed_again(deps: Deps, clock: Clock) -> None:
    protected = await protected_app(deps)
    run = await a_snapshot(deps, clock, protected)
    question = AskListing(snapshot_id=run.snapshot_ids[0], tree="t1")
    assert (await answer_ask_listing(question, deps)).wanted
    await told(deps, run, "t1", "/a/x")
    assert not (await answer_ask_listing(question, deps)).wanted
    assert await names(deps, run, "/a") == ["x"]

    clock.advance(hours=1)
    again = await a_snapshot(deps, clock, protected)
    same = AskListing(snapshot_id=again.snapshot_ids[0], tree="t1")
    assert not (await answer_ask_listing(same, deps)).wanted
    assert await names(deps, again, "/a") == ["x"]


async def test_what_another_snapshot_needs_stays_and_the_rest_goes(
    deps: Deps, clock: Clock
) -> None:
    protected = await protected_app(deps)
    old = await a_snapshot(deps, clock, protected)
    await told(deps, old, "t1", "/a/x", "/b/y")
    clock.advance(hours=1)
    new = await a_snapshot(deps, clock, protected)
    await told(deps, new, "t2", "/a/x", "/b/changed")
    # Two roots, one /a, two /b.
    assert await folders_kept(deps) == 5

    await deps.pool.execute(
        "update snapshot set forgotten_at = now() where id = $1", old.snapshot_ids[0]
    )
    await Sweeper(deps).sweep()
    assert await folders_kept(deps) == 5
    clock.advance(seconds=SPARED.total_seconds() + 7200)
    await Sweeper(deps).sweep()
    assert await folders_kept(deps) == 3
    assert await names(deps, new, "/a") == ["x"]
    assert await names(deps, new, "/b") == ["changed"]


async def test_folders_of_a_list_that_is_being_told_are_not_dropped(
    deps: Deps, clock: Clock
) -> None:
    protected = await protected_app(deps)
    run = await a_snapshot(deps, clock, protected)
    root = await told(deps, run, "t1", "/a/x")
    await deps.pool.execute("delete from listing")
    clock.advance(days=3)
    asked = AskFolders(folders=(KnownFolder(id=root.folder, last_page=0),))
    assert (await answer_ask_folders(asked, deps)).ids == ()

    clock.advance(seconds=timedelta(hours=5).total_seconds())
    await Sweeper(deps).sweep()
    # Only what was asked for was touched; an executor asks for all of them.
    assert await folders_kept(deps) == 1


async def test_many_tell_the_same_folders_at_once(deps: Deps, clock: Clock) -> None:
    protected = await protected_app(deps)
    run = await a_snapshot(deps, clock, protected)
    files = [f"/{top}/{number}" for top in "ab" for number in range(50)]
    await asyncio.gather(*(told(deps, run, "t1", *files) for _ in range(8)))
    # The two are the same folder.
    assert await folders_kept(deps) == 2
    assert len(await names(deps, run, "/a")) == 50
