"""A list of files becomes folders that are known by their content."""

import zlib
from datetime import UTC, datetime

import msgspec

from holdfast.events.listing import PAGE_ENTRIES, Entry, FolderPage, Root
from holdfast.executor.folders import Folders
from holdfast.restic.commands.ls import Node

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def file(path: str, size: int = 1) -> Node:
    return Node(name=path.rpartition("/")[2], path=path, type="file", size=size, mtime=NOON)


def folder(path: str) -> Node:
    return Node(name=path.rpartition("/")[2], path=path, type="dir", mtime=NOON)


def told(*nodes: Node) -> tuple[list[FolderPage], Root]:
    """All pages, in the order in which they are handed over, and the root."""
    folders = Folders()
    given = [pages for node in nodes for pages in folders.add(node)]
    given += list(folders.finish())
    return [page for pages in given for page in pages], folders.root(given[-1][0].folder)


def entries(page: FolderPage) -> tuple[Entry, ...]:
    return msgspec.msgpack.decode(zlib.decompress(page.entries), type=tuple[Entry, ...])


def test_what_is_in_a_folder_comes_before_it() -> None:
    pages, root = told(
        folder("/a"), folder("/a/b"), file("/a/b/x", 5), file("/a/y", 7), file("/z", 11)
    )
    b, a, top = pages
    assert [each.name for each in entries(b)] == ["x"]
    assert [(each.name, each.size, each.files) for each in entries(a)] == [("b", 5, 1), ("y", 7, 0)]
    assert entries(a)[0].folder == b.folder
    assert a.folders == (b.folder,)
    assert [(each.name, each.size, each.files) for each in entries(top)] == [
        ("a", 12, 2),
        ("z", 11, 0),
    ]
    assert root == Root(folder=top.folder, files=3, folders=2, size=23)


def test_a_folder_that_did_not_change_is_the_same_and_all_above_a_change_are_others() -> None:
    before, _ = told(folder("/a"), file("/a/x"), folder("/b"), file("/b/y"))
    after, _ = told(folder("/a"), file("/a/x"), folder("/b"), file("/b/y", 2))
    assert before[0] == after[0]
    assert before[1].folder != after[1].folder
    assert before[2].folder != after[2].folder


def test_an_empty_snapshot_and_an_empty_folder_have_a_page_each() -> None:
    pages, root = told()
    assert (len(pages), root.files, root.folders) == (1, 0, 0)
    pages, root = told(folder("/empty"))
    assert [len(entries(each)) for each in pages] == [0, 1]
    assert (root.files, root.folders) == (0, 1)


def test_a_large_folder_is_cut_into_pages_with_folders_first() -> None:
    count = 2 * PAGE_ENTRIES
    nodes = [folder("/big"), *(file(f"/big/{number:05}") for number in range(count))]
    pages, root = told(*nodes, folder("/big/zz"))
    big = [each for each in pages if each.folder == pages[1].folder]
    assert [each.page for each in big] == [0, 1, 2]
    assert [each.first_key for each in big] == ["0zz", "100999", "101999"]
    assert [len(entries(each)) for each in big] == [1000, 1000, 1]
    assert root.files == count


def test_two_folders_whose_names_cannot_be_told_apart_keep_what_is_theirs() -> None:
    pages, root = told(
        folder("/\ufffd"), file("/\ufffd/one"), folder("/\ufffd"), file("/\ufffd/two")
    )
    assert [[each.name for each in entries(page)] for page in pages[:2]] == [["one"], ["two"]]
    assert (root.files, root.folders) == (2, 2)
