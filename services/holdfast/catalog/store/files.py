"""The files of snapshots: folders known by their content, and the root of each tree."""

import zlib
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import to_struct
from holdfast.catalog.store.sql import load
from holdfast.events.listing import Entry, FolderPage, KnownFolder, Root

SQL = load("files")

SWEEP_SECONDS = 600
"""A house with hundreds of apps has millions of folders."""

_entries = msgspec.msgpack.Decoder(tuple[Entry, ...])


async def learn_tree(connection: Connection, snapshot_id: UUID, tree: str) -> None:
    """Write down which content a snapshot has, unless that is known."""
    await connection.execute(SQL["learn_tree"], snapshot_id, tree)


async def is_listed(connection: Connection, snapshot_id: UUID, tree: str) -> bool:
    """Whether the files of that content, or of the snapshot's, are kept."""
    return bool(await connection.fetchval(SQL["is_listed"], snapshot_id, tree))


async def root_of(connection: Connection, snapshot_id: UUID) -> Root | None:
    """The root of a snapshot; None: its files are not kept."""
    row = await connection.fetchrow(SQL["listing_of"], snapshot_id)
    return None if row is None else to_struct(row, Root)


async def touch(
    connection: Connection, folders: Sequence[KnownFolder], now: datetime
) -> frozenset[bytes]:
    """Those of the folders that are kept, which stay for a while from now."""
    rows = await connection.fetch(
        SQL["touch_folders"],
        [each.id for each in folders],
        [each.last_page for each in folders],
        now,
    )
    return frozenset(row["id"] for row in rows)


async def keep_pages(connection: Connection, pages: Sequence[FolderPage], now: datetime) -> None:
    """Keep them, in one order for everybody: two that keep the same do not block each other."""
    ordered = sorted(pages, key=lambda each: (each.folder, each.page))
    await connection.executemany(
        SQL["keep_page"],
        [
            (each.folder, each.page, each.first_key, each.entries, each.folders, now)
            for each in ordered
        ],
    )


async def keep_listing(connection: Connection, tree: str, root: Root, now: datetime) -> None:
    """Keep the root of a tree, whose folders are kept."""
    await connection.execute(
        SQL["keep_listing"], tree, root.folder, root.files, root.folders, root.size, now
    )


async def entries_at(connection: Connection, folder: bytes, page: int) -> tuple[Entry, ...]:
    """The entries of one page; none: there is no such page."""
    return _read(await connection.fetchval(SQL["page_at"], folder, page))


async def find(connection: Connection, folder: bytes, key: str) -> Entry | None:
    """One entry of a folder."""
    page = _read(await connection.fetchval(SQL["page_with"], folder, key))
    return next((each for each in page if each.key == key), None)


async def sweep(connection: Connection, untouched_since: datetime) -> None:
    """Drop what belongs to no snapshot and was not touched lately."""
    await connection.execute(f"set local statement_timeout = '{SWEEP_SECONDS}s'")
    for name in ("drop_listings", "drop_folders"):
        await connection.execute(SQL[name], untouched_since, timeout=SWEEP_SECONDS)


def _read(packed: bytes | None) -> tuple[Entry, ...]:
    return () if packed is None else _entries.decode(zlib.decompress(packed))
