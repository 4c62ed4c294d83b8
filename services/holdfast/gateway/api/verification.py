"""Checks of destinations, what was read when, what is stored, and what that costs."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter, SkipValidation

from holdfast.events.queries import (
    CheckDestination,
    GetDestinationStats,
    GetVerification,
    ListPrices,
    SetPrice,
    SetVerification,
)
from holdfast.events.views import PriceView, RunAccepted, StatsView, VerificationView
from holdfast.gateway.api.problems import problems
from holdfast.gateway.catalog_client import CatalogClient
from holdfast.gateway.schemas.verification import (
    CheckRequest,
    PriceList,
    PriceRequest,
    VerificationRequest,
)


class VerificationRoutes(Controller):
    """Proof that what is stored can be read."""

    path = "/backup/destinations/{destination_id:uuid}"
    tags = ("Checks",)

    @post(
        "/check",
        operation_id="checkDestination",
        summary="Check a destination's repository, and read some of its data",
        status_code=202,
        responses=problems(404),
    )
    async def check(
        self,
        destination_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
        data: JSONBody[CheckRequest | None] = None,
    ) -> RunAccepted:
        """The run ends as `failed` with `repository_damaged` when it finds damage."""
        read_data = (data or CheckRequest()).read_data
        return await catalog.ask(
            CheckDestination(destination_id=destination_id, read_data=read_data)
        )

    @get(
        "/verification",
        operation_id="getVerification",
        summary="Which part of the data was read when, and what was found",
        responses=problems(404),
    )
    async def verification(
        self,
        destination_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> VerificationView:
        """With a warning, in numbers, when the promise is not kept or cannot be."""
        return await catalog.ask(GetVerification(destination_id=destination_id))

    @put(
        "/verification",
        operation_id="setVerification",
        summary="Change how often all of the data is read",
        responses=problems(404, 422),
    )
    async def set_verification(
        self,
        destination_id: FromPath[UUID],
        data: JSONBody[VerificationRequest],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> VerificationView:
        """What was read already still counts."""
        return await catalog.ask(
            SetVerification(
                destination_id=destination_id,
                verify_within_days=data.verify_within_days,
                verify_budget_mib_per_day=data.verify_budget_mib_per_day,
                check_schedule=data.check_schedule,
            )
        )

    @get(
        "/stats",
        operation_id="getDestinationStats",
        summary="How much a destination stores, saves and costs, and how it grows",
        responses=problems(404),
    )
    async def stats(
        self,
        destination_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
        days: Annotated[int, QueryParameter(ge=1, le=3660)] = 90,
    ) -> StatsView:
        """Measured after each check and prune."""
        return await catalog.ask(GetDestinationStats(destination_id=destination_id, days=days))


class PriceRoutes(Controller):
    """What storage costs."""

    path = "/backup/prices"
    tags = ("Checks",)

    @get("/", operation_id="listPrices", summary="List prices by provider", responses=problems())
    async def all(self, catalog: NamedDependency[SkipValidation[CatalogClient]]) -> PriceList:
        """Holdfast's own figures, and those that were set."""
        return PriceList(prices=await catalog.ask(ListPrices()))

    @put(
        "/{provider:str}",
        operation_id="setPrice",
        summary="Set a provider's price",
        responses=problems(422),
    )
    async def set(
        self,
        provider: FromPath[str],
        data: JSONBody[PriceRequest],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> PriceView:
        """`b2`, `wasabi`, `aws_s3`, `local`, or the host of another S3 service."""
        return await catalog.ask(SetPrice(provider=provider, per_tb_month=data.per_tb_month))
