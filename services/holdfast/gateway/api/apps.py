"""Apps: declare, list, and bring back."""

from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, JSONBody, SkipValidation

from holdfast.events.queries import DiscardPrevious, ListApps
from holdfast.events.run import RunStatus
from holdfast.events.views import AppView, RunAccepted, RunView
from holdfast.gateway.api.problems import problems
from holdfast.gateway.catalog_client import CatalogClient
from holdfast.gateway.errors import restoring_failed
from holdfast.gateway.schemas.devices import AppList, AppRequest, AppRestoreRequest


class AppRoutes(Controller):
    """Applications, as the paths of their data."""

    path = "/apps"
    tags = ("Apps",)

    @post(
        "/",
        operation_id="createApp",
        summary="Declare an app; it is backed up by the default policy from then on",
        responses=problems(404, 409),
    )
    async def create(
        self,
        data: JSONBody[AppRequest],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> AppView:
        """A configuration with the default policy is made with it."""
        return await catalog.ask(data.query())

    @get("/", operation_id="listApps", summary="List all apps by name", responses=problems())
    async def all(self, catalog: NamedDependency[SkipValidation[CatalogClient]]) -> AppList:
        """With the paths of their data."""
        return AppList(apps=await catalog.ask(ListApps()))

    @post(
        "/{app_id:uuid}/restore",
        operation_id="restoreApp",
        summary="Bring a whole app back: its data, its files, and its containers",
        status_code=202,
        responses={
            **problems(404, 409, 422, 502, 504),
            202: ResponseSpec(
                data_container=RunAccepted,
                generate_examples=False,
                description="The run that brings it back",
            ),
            200: ResponseSpec(
                data_container=RunView,
                generate_examples=False,
                description="With wait=true: the app is back, or what a dry run found",
            ),
        },
    )
    async def restore(
        self,
        app_id: FromPath[UUID],
        data: JSONBody[AppRestoreRequest],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
        wait: FromQuery[bool] = False,
    ) -> Response[RunAccepted | RunView]:
        """What is there is set aside, and is back again if anything fails.

        Answers at once, or with `wait` when it has ended; the run goes on when nobody waits.
        """
        accepted = await catalog.ask(data.query(app_id))
        return await _answer(catalog, accepted, wait=wait)

    @post(
        "/{app_id:uuid}/restores/{run_id:uuid}/discard",
        operation_id="discardPrevious",
        summary="Remove for good what was there before a restore of the app",
        status_code=202,
        responses={
            **problems(404, 409, 422, 502, 504),
            202: ResponseSpec(
                data_container=RunAccepted,
                generate_examples=False,
                description="The run that removes it",
            ),
            200: ResponseSpec(
                data_container=RunView,
                generate_examples=False,
                description="With wait=true: it is gone, and so much space is free",
            ),
        },
    )
    async def discard(
        self,
        app_id: FromPath[UUID],
        run_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
        wait: FromQuery[bool] = False,
    ) -> Response[RunAccepted | RunView]:
        """Only of a restore that came to its good end, and never while another one is unfinished.

        Answers at once, or with `wait` when it has ended; the run goes on when nobody waits.
        """
        accepted = await catalog.ask(DiscardPrevious(app_id=app_id, run_id=run_id))
        return await _answer(catalog, accepted, wait=wait)


async def _answer(
    catalog: CatalogClient, accepted: RunAccepted, *, wait: bool
) -> Response[RunAccepted | RunView]:
    """The run as it was accepted, or once it has ended.  Raises RunError."""
    if not wait:
        return Response(accepted, status_code=202)
    run = await catalog.wait_for_run(accepted.run_id, None)
    if run.status is not RunStatus.SUCCESS:
        raise restoring_failed(run)
    return Response(run, status_code=200)
