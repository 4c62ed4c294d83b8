"""Apps: declare and list."""

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, SkipValidation

from holdfast.events.queries import ListApps
from holdfast.events.views import AppView
from holdfast.gateway.api.problems import problems
from holdfast.gateway.catalog_client import CatalogClient
from holdfast.gateway.schemas.devices import AppList, AppRequest


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
