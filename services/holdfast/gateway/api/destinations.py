"""Destinations: add, list, look at, change, test, remove."""

from uuid import UUID

from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, SkipValidation

from holdfast.events.queries import (
    GetDestination,
    ListDestinations,
    RemoveDestination,
    TestDestination,
    TestProtection,
)
from holdfast.events.views import DestinationView, RunView
from holdfast.gateway.api.problems import problems
from holdfast.gateway.catalog_client import WAIT_SECONDS, CatalogClient
from holdfast.gateway.schemas.destinations import (
    DestinationList,
    DestinationPatch,
    LocalDestinationRequest,
    S3DestinationRequest,
    TestOutcome,
)


class DestinationRoutes(Controller):
    """Places backups go."""

    path = "/backup/destinations"
    tags = ("Destinations",)

    @post(
        "/local",
        operation_id="addLocalDestination",
        summary="Add a path on a device, and make or adopt its repository",
        responses=problems(404, 409, 422, 504),
    )
    async def add_local(
        self,
        data: JSONBody[LocalDestinationRequest],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> DestinationView:
        """Answers when the destination is ready, which takes seconds, or failed."""
        return await catalog.add_destination(data)

    @post(
        "/s3",
        operation_id="addS3Destination",
        summary="Add a bucket, and make or adopt its repository",
        responses=problems(409, 422, 504),
    )
    async def add_s3(
        self,
        data: JSONBody[S3DestinationRequest],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> DestinationView:
        """Answers when the destination is ready, which takes seconds, or failed."""
        return await catalog.add_destination(data)

    @get(
        "/",
        operation_id="listDestinations",
        summary="List all destinations by name",
        responses=problems(),
    )
    async def all(self, catalog: NamedDependency[SkipValidation[CatalogClient]]) -> DestinationList:
        """Without their secrets."""
        return DestinationList(destinations=await catalog.ask(ListDestinations()))

    @get(
        "/{destination_id:uuid}",
        operation_id="getDestination",
        summary="Look at one destination",
        responses=problems(404),
    )
    async def one(
        self,
        destination_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> DestinationView:
        """Without its secrets."""
        return await catalog.ask(GetDestination(destination_id=destination_id))

    @patch(
        "/{destination_id:uuid}",
        operation_id="changeDestination",
        summary="Change how a destination is used: its limits, and whether it is append-only",
        responses=problems(404),
    )
    async def change(
        self,
        destination_id: FromPath[UUID],
        data: JSONBody[DestinationPatch],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> DestinationView:
        """Holds from the next run that is queued."""
        return await catalog.ask(data.query(destination_id))

    @delete(
        "/{destination_id:uuid}",
        operation_id="removeDestination",
        summary="Take a destination out of use; its data stays where it is",
        responses=problems(404, 409),
    )
    async def remove(
        self,
        destination_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
        detach: FromQuery[bool] = False,
    ) -> None:
        """A conflict while policies use it, unless `detach` takes it out of them."""
        await catalog.ask(RemoveDestination(destination_id=destination_id, detach=detach))

    @post(
        "/{destination_id:uuid}/test",
        operation_id="testDestination",
        summary="Test whether a destination can be reached and its repository opened",
        status_code=200,
        responses=problems(404),
    )
    async def test(
        self,
        destination_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> TestOutcome:
        """Answers with `success` false, not with an error, when it cannot."""
        accepted = await catalog.ask(TestDestination(destination_id=destination_id))
        return TestOutcome.of(await catalog.wait_for_run(accepted.run_id, WAIT_SECONDS))

    @post(
        "/{destination_id:uuid}/protection-test",
        operation_id="testProtection",
        summary="Attack a canary at the destination with what a backup has",
        status_code=200,
        responses=problems(404),
    )
    async def test_protection(
        self,
        destination_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> RunView:
        """The run, once it has ended or as it stands after two minutes.

        Its `result` says of each attack whether it was refused. Real data is not touched.
        """
        accepted = await catalog.ask(TestProtection(destination_id=destination_id))
        return await catalog.wait_for_run(accepted.run_id, WAIT_SECONDS)
