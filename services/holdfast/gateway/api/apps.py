"""Apps: declare, list, and bring back."""

from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, SkipValidation

from holdfast.events.queries import DiscardPrevious, ListApps
from holdfast.events.views import AppView, RunAccepted, RunView
from holdfast.gateway.api.problems import problems
from holdfast.gateway.api.waiting import run_or_accepted, run_responses
from holdfast.gateway.catalog_client import CatalogClient
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
        responses=run_responses(
            "The run that brings it back", "the app is back, or what a dry run found"
        ),
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
        return await run_or_accepted(catalog, accepted, wait=wait)

    @post(
        "/{app_id:uuid}/restores/{run_id:uuid}/discard",
        operation_id="discardPrevious",
        summary="Remove for good what was there before a restore of the app",
        status_code=202,
        responses=run_responses("The run that removes it", "it is gone, and so much space is free"),
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
        return await run_or_accepted(catalog, accepted, wait=wait)
