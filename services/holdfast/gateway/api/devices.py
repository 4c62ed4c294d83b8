"""Devices: declare, list, look at, change, test, forget."""

from uuid import UUID

from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, SkipValidation

from holdfast.events.queries import DiscoverDevice, GetDevice, ListDevices, RemoveDevice, TestDevice
from holdfast.events.views import DeviceView, RunAccepted, RunView
from holdfast.gateway.api.problems import problems
from holdfast.gateway.catalog_client import WAIT_SECONDS, CatalogClient
from holdfast.gateway.schemas.devices import DeviceList, DevicePatch, DeviceRequest


class DeviceRoutes(Controller):
    """Machines whose data is backed up."""

    path = "/devices"
    tags = ("Devices",)

    @post(
        "/",
        operation_id="createDevice",
        summary="Declare a device",
        responses=problems(409, 422),
    )
    async def create(
        self,
        data: JSONBody[DeviceRequest],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> DeviceView:
        """Names are unique.  Test one that is reached over SSH: that pins its host key."""
        return await catalog.ask(data.query(await catalog.sealed(data.secrets())))

    @get(
        "/",
        operation_id="listDevices",
        summary="List all devices by name",
        responses=problems(),
    )
    async def all(self, catalog: NamedDependency[SkipValidation[CatalogClient]]) -> DeviceList:
        """The machine Holdfast runs on is among them from the start."""
        return DeviceList(devices=await catalog.ask(ListDevices()))

    @get(
        "/{device_id:uuid}",
        operation_id="getDevice",
        summary="One device",
        responses=problems(404),
    )
    async def one(
        self,
        device_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> DeviceView:
        """With what its last good test found."""
        return await catalog.ask(GetDevice(device_id=device_id))

    @patch(
        "/{device_id:uuid}",
        operation_id="updateDevice",
        summary="Change a device",
        responses=problems(404, 409, 422),
    )
    async def change(
        self,
        device_id: FromPath[UUID],
        data: JSONBody[DevicePatch],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> DeviceView:
        """What is absent stays."""
        return await catalog.ask(data.query(device_id, await catalog.sealed(data.secrets())))

    @delete(
        "/{device_id:uuid}",
        operation_id="removeDevice",
        summary="Forget a device that nothing refers to",
        status_code=204,
        responses=problems(404, 409),
    )
    async def remove(
        self,
        device_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> None:
        """A conflict while an app, a destination or a run in the history is of it."""
        await catalog.ask(RemoveDevice(device_id=device_id))

    @post(
        "/{device_id:uuid}/test",
        operation_id="testDevice",
        summary="Reach a device over SSH, and look what is there",
        status_code=200,
        responses=problems(404, 422),
    )
    async def test(
        self,
        device_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> RunView:
        """The run, which has ended: its `result` says what was found, its `failure` why not."""
        accepted = await catalog.ask(TestDevice(device_id=device_id))
        return await catalog.wait_for_run(accepted.run_id, WAIT_SECONDS)

    @post(
        "/{device_id:uuid}/discover",
        operation_id="discoverDevice",
        summary="Ask a device's container engines what they run",
        status_code=202,
        responses=problems(404, 422),
    )
    async def discover(
        self,
        device_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
        wait: FromQuery[bool] = False,
    ) -> RunAccepted:
        """What is new becomes an app, protected by the default policy unless a label differs.

        With `wait` the answer comes when the run has ended, and `status` says how.
        """
        accepted = await catalog.ask(DiscoverDevice(device_id=device_id))
        if not wait:
            return accepted
        run = await catalog.wait_for_run(accepted.run_id, WAIT_SECONDS)
        return RunAccepted(run_id=run.id, status=run.status)
