"""Devices: declare and list."""

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, SkipValidation

from holdfast.events.queries import ListDevices
from holdfast.events.views import DeviceView
from holdfast.gateway.api.problems import problems
from holdfast.gateway.catalog_client import CatalogClient
from holdfast.gateway.schemas.devices import DeviceList, DeviceRequest


class DeviceRoutes(Controller):
    """Machines whose data is backed up."""

    path = "/devices"
    tags = ("Devices",)

    @post(
        "/",
        operation_id="createDevice",
        summary="Declare a device",
        responses=problems(409),
    )
    async def create(
        self,
        data: JSONBody[DeviceRequest],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> DeviceView:
        """Names are unique."""
        return await catalog.ask(data.query())

    @get(
        "/",
        operation_id="listDevices",
        summary="List all devices by name",
        responses=problems(),
    )
    async def all(self, catalog: NamedDependency[SkipValidation[CatalogClient]]) -> DeviceList:
        """The machine Holdfast runs on is among them from the start."""
        return DeviceList(devices=await catalog.ask(ListDevices()))
