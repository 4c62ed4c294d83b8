"""Runs: list, look at, cancel; and the whole house at a glance."""

from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, SkipValidation

from holdfast.events.queries import CancelRun, GetRun, GetStatus, ListRuns
from holdfast.events.run import Operation, RunStatus
from holdfast.events.views import RunPage, RunView, StatusView
from holdfast.gateway.api.problems import problems
from holdfast.gateway.api.snapshots import CursorText, Limit
from holdfast.gateway.catalog_client import CatalogClient


class RunRoutes(Controller):
    """Executions of operations: backup, restore, forget, prune, check, init, probe and others."""

    path = "/backup/runs"
    tags = ("Runs",)

    @get("/", operation_id="listRuns", summary="List runs, newest first", responses=problems())
    async def page(
        self,
        catalog: NamedDependency[SkipValidation[CatalogClient]],
        operation: FromQuery[Operation | None] = None,
        status: FromQuery[RunStatus | None] = None,
        configuration_id: FromQuery[UUID | None] = None,
        app_id: FromQuery[UUID | None] = None,
        limit: Limit = 50,
        cursor: CursorText = None,
    ) -> RunPage:
        """`next_cursor` is null on the last page."""
        return await catalog.ask(
            ListRuns(
                operation=operation,
                status=status,
                configuration_id=configuration_id,
                app_id=app_id,
                limit=limit,
                cursor=cursor,
            )
        )

    @get(
        "/{run_id:uuid}",
        operation_id="getRun",
        summary="Look at one run",
        responses=problems(404),
    )
    async def one(
        self,
        run_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> RunView:
        """With its result, or why it failed."""
        return await catalog.ask(GetRun(run_id=run_id))

    @post(
        "/{run_id:uuid}/cancel",
        operation_id="cancelRun",
        summary="Stop a run",
        status_code=202,
        responses=problems(404, 409),
    )
    async def cancel(
        self,
        run_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> RunView:
        """At once if nobody has taken it up; otherwise its executor is told."""
        return await catalog.ask(CancelRun(run_id=run_id))


@get(
    "/status",
    operation_id="getStatus",
    summary="How well everything is protected",
    tags=["Status"],
    responses=problems(),
)
async def status(catalog: NamedDependency[SkipValidation[CatalogClient]]) -> StatusView:
    """Every app with its last good backup, every destination, and what is going on."""
    return await catalog.ask(GetStatus())
