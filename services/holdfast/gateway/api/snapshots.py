"""Snapshots: list, look at, restore."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter, SkipValidation

from holdfast.events.queries import GetSnapshot, ListFiles, ListSnapshots
from holdfast.events.run import RestoreResult, RunStatus
from holdfast.events.views import FilePage, RunAccepted, SnapshotPage, SnapshotView
from holdfast.gateway.api.problems import problems
from holdfast.gateway.api.waiting import ended_well, run_responses
from holdfast.gateway.catalog_client import CatalogClient
from holdfast.gateway.schemas.snapshots import RestoreOutcome, RestoreRequest

Limit = Annotated[int, QueryParameter(ge=1, le=500, description="How many at most.")]
CursorText = Annotated[
    str | None,
    QueryParameter(max_length=200, description="`next_cursor` of the page before."),
]


class SnapshotRoutes(Controller):
    """What backups came to, and bringing it back."""

    path = "/backup/snapshots"
    tags = ("Snapshots",)

    @get(
        "/",
        operation_id="listSnapshots",
        summary="List snapshots, newest first",
        responses=problems(),
    )
    async def page(
        self,
        catalog: NamedDependency[SkipValidation[CatalogClient]],
        app_id: FromQuery[UUID | None] = None,
        configuration_id: FromQuery[UUID | None] = None,
        destination_id: FromQuery[UUID | None] = None,
        status: FromQuery[RunStatus | None] = None,
        limit: Limit = 50,
        cursor: CursorText = None,
    ) -> SnapshotPage:
        """`next_cursor` is null on the last page."""
        return await catalog.ask(
            ListSnapshots(
                app_id=app_id,
                configuration_id=configuration_id,
                destination_id=destination_id,
                status=status,
                limit=limit,
                cursor=cursor,
            )
        )

    @get(
        "/{snapshot_id:uuid}",
        operation_id="getSnapshot",
        summary="Look at one snapshot",
        responses=problems(404),
    )
    async def one(
        self,
        snapshot_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> SnapshotView:
        """With its statistics, and why it failed if it did."""
        return await catalog.ask(GetSnapshot(snapshot_id=snapshot_id))

    @get(
        "/{snapshot_id:uuid}/files",
        operation_id="listSnapshotFiles",
        summary="Look into a folder of a snapshot",
        responses=problems(404, 409),
    )
    async def files(
        self,
        snapshot_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
        path: FromQuery[str] = "/",
        limit: Limit = 200,
        cursor: CursorText = None,
    ) -> FilePage:
        """Answers from what is kept here, be the repository busy or away.  Folders come first,
        then by name.  The files of a snapshot that was adopted are asked for when somebody looks
        for the first time: `files_not_listed_yet` says to ask again in a moment."""
        return await catalog.ask(
            ListFiles(snapshot_id=snapshot_id, path=path, limit=limit, cursor=cursor)
        )

    @post(
        "/{snapshot_id:uuid}/restore",
        operation_id="restoreSnapshot",
        summary="Bring a snapshot, or some files of it, back below a path",
        status_code=202,
        responses=run_responses(
            "The run that restores", "the restore has ended well", RestoreOutcome
        ),
    )
    async def restore(
        self,
        snapshot_id: FromPath[UUID],
        data: JSONBody[RestoreRequest],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
        wait: FromQuery[bool] = False,
    ) -> Response[RunAccepted | RestoreOutcome]:
        """Answers at once, or with `wait` when it has ended; the run goes on when nobody waits."""
        accepted = await catalog.ask(data.query(snapshot_id))
        if not wait:
            return Response(accepted, status_code=202)

        run = await ended_well(catalog, accepted)
        path = run.result.restored_path if isinstance(run.result, RestoreResult) else None
        outcome = RestoreOutcome(
            success=True,
            message="Restore completed successfully",
            restored_path=path or data.target_path,
        )
        return Response(outcome, status_code=200)
