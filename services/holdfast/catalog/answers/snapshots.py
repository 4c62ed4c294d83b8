"""Questions about snapshots, and bringing one back."""

import posixpath
from uuid import UUID

from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.cursor import Place, checked_limit, cut, from_cursor
from holdfast.catalog.domain.device import far_address
from holdfast.catalog.domain.sources import in_order
from holdfast.catalog.domain.text import checked_text
from holdfast.catalog.store import apps, destinations, devices, runs, snapshots
from holdfast.catalog.store.pool import Connection, reading, transaction
from holdfast.events.queries import GetSnapshot, ListSnapshots, RestoreSnapshot
from holdfast.events.run import Operation
from holdfast.events.views import RunAccepted, SnapshotPage, SnapshotView
from holdfast.events.work import RestoreRequested, RestoreSource
from holdfast.kernel.errors import ConflictError, HoldfastError, InvalidRequestError, NotFoundError
from holdfast.kernel.ids import derived_id, new_id


class NotRestorableError(ConflictError):
    """There is nothing of this snapshot to restore."""

    code = "not_restorable"
    guidance = "Choose one whose status is success or partial, and that is not forgotten."


async def answer_get_snapshot(query: GetSnapshot, deps: Deps) -> SnapshotView:
    """One snapshot."""
    async with reading(deps.pool) as connection:
        view = await snapshots.find(connection, query.snapshot_id)
    if view is None:
        raise _missing(query.snapshot_id)
    return view


async def answer_list_snapshots(query: ListSnapshots, deps: Deps) -> SnapshotPage:
    """A page of snapshots, newest first."""
    limit = checked_limit(query.limit)
    after = from_cursor(query.cursor) if query.cursor else None
    async with reading(deps.pool) as connection:
        rows = await snapshots.listed(connection, query, after)
    page, cursor = cut(rows, limit, lambda last: Place(last.started_at, last.id))
    return SnapshotPage(snapshots=page, next_cursor=cursor)


async def answer_restore_snapshot(query: RestoreSnapshot, deps: Deps) -> RunAccepted:
    """Queue a restore.  A destination that is out of use is still restored from."""
    target_path = absolute(query.target_path, "target_path")
    files = tuple(absolute(each, "files", may_be_relative=True) for each in query.files)
    run_id = new_id()
    async with transaction(deps.pool) as connection:
        snapshot, _ = await restorable(connection, query.snapshot_id)
        first, *others = await sources_of(connection, query.snapshot_id)
        device = await devices.find(connection, query.target_device_id)
        if device is None:
            raise InvalidRequestError(
                f"target_device_id: there is no device {query.target_device_id}."
            )
        app = await apps.find(connection, snapshot.app_id) if snapshot.app_id else None
        work = RestoreRequested(
            event_id=derived_id(RestoreRequested.TYPE, run_id),
            occurred_at=deps.now(),
            run_id=run_id,
            site=device.site,
            configuration_id=snapshot.configuration_id,
            app_id=snapshot.app_id,
            app_name=app.name if app else "",
            address=first.address,
            restic_snapshot_id=first.restic_snapshot_id,
            others=tuple(others),
            target_path=target_path,
            files=tuple(dict.fromkeys(files)),
            mode=query.mode,
            dry_run=query.dry_run,
            verify=query.verify,
            sparse=query.sparse,
            device=far_address(device),
        )
        await runs.enqueue(
            connection,
            runs.NewRun(
                operation=Operation.RESTORE,
                work=work,
                configuration_id=snapshot.configuration_id,
                app_id=snapshot.app_id,
                device_id=device.id,
            ),
        )
        view = await runs.find(connection, run_id)
    deps.wake.set()
    if view is None:
        raise HoldfastError
    return RunAccepted(
        run_id=run_id, status=view.status, destination_id=first.address.destination_id
    )


async def restorable(connection: Connection, snapshot_id: UUID) -> tuple[SnapshotView, str]:
    """It and its id in the repository.  Raises NotFoundError or NotRestorableError."""
    snapshot = await snapshots.find(connection, snapshot_id)
    if snapshot is None:
        raise _missing(snapshot_id)
    if snapshot.restic_snapshot_id is None or snapshot.forgotten_at is not None:
        raise NotRestorableError
    return snapshot, snapshot.restic_snapshot_id


async def sources_of(connection: Connection, snapshot_id: UUID) -> tuple[RestoreSource, ...]:
    """Where its content is, in the order in which they are tried."""
    copies = in_order(await snapshots.copies(connection, snapshot_id), snapshot_id)
    ids = [each.destination_id for each in copies]
    addresses = await destinations.addresses(connection, ids)
    return tuple(
        RestoreSource(
            address=addresses[each.destination_id], restic_snapshot_id=each.restic_snapshot_id
        )
        for each in copies
    )


def absolute(path: str, field: str, *, may_be_relative: bool = False) -> str:
    """A path in its plain form.  A file of a snapshot may be written without its first slash.

    ``/`` is a fine target: things go back where they were.  Raises InvalidRequestError.
    """
    text = checked_text(path, field)
    if may_be_relative and text:
        text = "/" + text.lstrip("/")
    if not text.startswith("/") or ".." in text.split("/"):
        raise InvalidRequestError(f"{field}: {path!r} must be an absolute path without '..'.")
    return "/" + posixpath.normpath(text).lstrip("/")


def _missing(snapshot_id: UUID) -> NotFoundError:
    return NotFoundError(f"There is no snapshot {snapshot_id}.")
