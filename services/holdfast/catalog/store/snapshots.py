"""Snapshots: one row for each destination of a backup run."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from holdfast.catalog.domain.cursor import Place
from holdfast.catalog.domain.run import Ended
from holdfast.catalog.domain.sources import Copy
from holdfast.catalog.store.pool import Connection
from holdfast.catalog.store.rows import to_struct, to_structs
from holdfast.catalog.store.sql import load
from holdfast.events.queries import ListSnapshots, SnapshotFact
from holdfast.events.run import Failure, RunStatus
from holdfast.events.snapshot import (
    FoundSnapshot,
    Replica,
    SnapshotCompleted,
    SnapshotFailed,
)
from holdfast.events.views import SnapshotView
from holdfast.events.work import BackupRequested

SQL = load("snapshots")

TOOL_TAGS = ("plan:", "ar:location:")
"""By which Backrest and autorestic say what a snapshot is of."""


async def add_rows(connection: Connection, works: Iterable[BackupRequested], now: datetime) -> None:
    """A row for each target of each backup, before the runs themselves may start."""
    await connection.executemany(
        SQL["add_snapshot"],
        [
            (
                target.snapshot_id,
                work.run_id,
                work.configuration_id,
                work.app_id,
                target.address.destination_id,
                work.hostname,
                work.paths,
                now,
            )
            for work in works
            for target in work.targets
        ],
    )


async def complete(connection: Connection, event: SnapshotCompleted) -> bool:
    """Record what restic wrote.  False: the row is final already."""
    done = await connection.fetchval(
        SQL["complete_snapshot"],
        event.snapshot_id,
        event.status,
        event.restic_snapshot_id,
        event.hostname,
        event.paths,
        event.files_new,
        event.files_changed,
        event.files_unmodified,
        event.data_added,
        event.data_added_packed,
        event.total_bytes_processed,
        event.duration_seconds,
        event.unreadable_files,
        event.unreadable_count,
        event.started_at,
        # As restic has it: when the repository is all that is left, it says the same.
        event.started_at + timedelta(seconds=event.duration_seconds),
        event.tree,
        event.way,
    )
    return done is not None


async def fail(connection: Connection, event: SnapshotFailed) -> bool:
    """Record that there is none.  False: the row is final already."""
    done = await connection.fetchval(
        SQL["fail_snapshot"],
        event.snapshot_id,
        event.status,
        event.failure,
        event.duration_seconds,
        event.started_at,
        event.occurred_at,
    )
    return done is not None


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Whose a snapshot is, as far as that is known."""

    configuration_id: UUID | None = None
    app_id: UUID | None = None


class FoundRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot that was found is on record as."""

    id: UUID
    run_id: UUID
    """That made it, or that found it when nobody knows who made it."""
    owner: Owner


async def is_owned(connection: Connection, destination_id: UUID, restic_id: str) -> bool | None:
    """Whether it is on record as somebody's; None: it is not on record.

    One of the same repository under a destination that was removed comes over.
    """
    await connection.execute(SQL["move_found"], restic_id, destination_id)
    owned: bool | None = await connection.fetchval(SQL["is_known"], destination_id, restic_id)
    return owned


async def drop_unowned(connection: Connection, destination_id: UUID, restic_id: str) -> None:
    """It comes on record anew, as somebody's."""
    await connection.execute(SQL["drop_unowned"], destination_id, restic_id)


async def owner_by_id(connection: Connection, configuration_id: UUID, app_id: UUID | None) -> Owner:
    """The configuration of that id, deleted or not, with its app; otherwise the app alone."""
    row = await connection.fetchrow(SQL["owner_by_id"], configuration_id, app_id)
    return Owner() if row is None else to_struct(row, Owner)


async def owner_by_paths(
    connection: Connection, destination_id: UUID, found: FoundSnapshot
) -> Owner:
    """The one configuration that backs up exactly these paths of that host to the destination,
    or whose app another tool named in a tag."""
    names = [
        tag.removeprefix(mark) for tag in found.tags for mark in TOOL_TAGS if tag.startswith(mark)
    ]
    rows = await connection.fetch(
        SQL["owner_by_paths"], destination_id, found.hostname, sorted(found.paths), names
    )
    return to_struct(rows[0], Owner) if len(rows) == 1 else Owner()


async def add_found(
    connection: Connection,
    row: FoundRow,
    destination_id: UUID,
    found: FoundSnapshot,
    now: datetime,
) -> None:
    """Record a snapshot that is in a repository."""
    await connection.execute(
        SQL["add_found"],
        row.id,
        row.run_id,
        row.owner.configuration_id,
        row.owner.app_id,
        destination_id,
        found.restic_snapshot_id,
        found.hostname,
        found.paths,
        found.files_new,
        found.files_changed,
        found.files_unmodified,
        found.data_added,
        found.data_added_packed,
        found.total_bytes_processed,
        found.duration_seconds,
        found.taken_at,
        now,
        found.tree,
    )


async def end_rest(
    connection: Connection, run_id: UUID, status: RunStatus, failure: Failure | None, now: datetime
) -> None:
    """Give the rows of a run that have no outcome this one."""
    await connection.execute(SQL["end_rest"], run_id, status, failure, now)


async def of_run(connection: Connection, run_id: UUID) -> tuple[Ended, ...]:
    """How each destination of a run stands."""
    return to_structs(await connection.fetch(SQL["snapshots_of_run"], run_id), Ended)


async def replicas_of_run(connection: Connection, run_id: UUID) -> tuple[Replica, ...]:
    """What a run has made, where it can be compared."""
    return to_structs(await connection.fetch(SQL["replicas_of_run"], run_id), Replica)


async def forget(
    connection: Connection, destination_id: UUID, restic_ids: Iterable[str], now: datetime
) -> None:
    """They are no longer in the repository."""
    await connection.execute(SQL["forget_snapshots"], destination_id, list(restic_ids), now)


async def unforget(connection: Connection, destination_id: UUID, restic_ids: Iterable[str]) -> None:
    """They are in the repository again."""
    await connection.execute(SQL["unforget_snapshots"], destination_id, list(restic_ids))


async def replace(
    connection: Connection, destination_id: UUID, replaced: Mapping[str, str]
) -> None:
    """Another snapshot of the same run has taken the place of one that was gone."""
    await connection.execute(
        SQL["replace_snapshots"], destination_id, list(replaced), list(replaced.values())
    )


async def known(
    connection: Connection, configuration_id: UUID, destination_id: UUID
) -> tuple[SnapshotFact, ...]:
    """Those of a configuration that are in the repository, newest first."""
    rows = await connection.fetch(SQL["known_snapshots"], configuration_id, destination_id)
    return to_structs(rows, SnapshotFact)


async def find(connection: Connection, snapshot_id: UUID) -> SnapshotView | None:
    """One snapshot, or None."""
    row = await connection.fetchrow(SQL["snapshot"], snapshot_id)
    return None if row is None else _view(row)


async def copies(connection: Connection, snapshot_id: UUID) -> tuple[Copy, ...]:
    """All that has the content of a snapshot, the snapshot itself among it."""
    return to_structs(await connection.fetch(SQL["copies"], snapshot_id), Copy)


async def listed(
    connection: Connection, query: ListSnapshots, after: Place | None
) -> tuple[SnapshotView, ...]:
    """One page and the first row of the next, newest first."""
    rows = await connection.fetch(
        SQL["snapshots"],
        query.app_id,
        query.configuration_id,
        query.destination_id,
        query.status,
        None if after is None else after.at,
        None if after is None else after.id,
        query.limit + 1,
    )
    return tuple(_view(row) for row in rows)


def _view(row: Any) -> SnapshotView:
    return msgspec.convert(dict(row), SnapshotView)
