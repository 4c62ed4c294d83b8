"""Policies: make, list, look at, change, delete."""

from uuid import UUID

from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, SkipValidation

from holdfast.events.queries import DeletePolicy, GetPolicy, ListPolicies
from holdfast.events.views import PolicyView
from holdfast.gateway.api.problems import problems
from holdfast.gateway.catalog_client import CatalogClient
from holdfast.gateway.schemas.policies import PolicyList, PolicyPatch, PolicyRequest


class PolicyRoutes(Controller):
    """Schedule, keep rules and destinations together."""

    path = "/backup/policies"
    tags = ("Policies",)

    @post(
        "/",
        operation_id="createPolicy",
        summary="Make a policy",
        responses=problems(404, 409, 422),
    )
    async def create(
        self,
        data: JSONBody[PolicyRequest],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> PolicyView:
        """A new default policy takes the place of the old one for new apps."""
        return await catalog.ask(data.query())

    @get(
        "/",
        operation_id="listPolicies",
        summary="List all policies by name",
        responses=problems(),
    )
    async def all(self, catalog: NamedDependency[SkipValidation[CatalogClient]]) -> PolicyList:
        """With the destinations of each."""
        return PolicyList(policies=await catalog.ask(ListPolicies()))

    @get(
        "/{policy_id:uuid}",
        operation_id="getPolicy",
        summary="Look at one policy",
        responses=problems(404),
    )
    async def one(
        self,
        policy_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> PolicyView:
        """With its destinations."""
        return await catalog.ask(GetPolicy(policy_id=policy_id))

    @patch(
        "/{policy_id:uuid}",
        operation_id="updatePolicy",
        summary="Change a policy; what is absent stays",
        responses=problems(404, 409, 422),
    )
    async def change(
        self,
        policy_id: FromPath[UUID],
        data: JSONBody[PolicyPatch],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> PolicyView:
        """`destination_ids`, when given, replaces the whole list."""
        return await catalog.ask(data.query(policy_id))

    @delete(
        "/{policy_id:uuid}",
        operation_id="deletePolicy",
        summary="Delete a policy that no configuration uses",
        responses=problems(404, 409),
    )
    async def remove(
        self,
        policy_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> None:
        """A conflict while it is used, or is the default."""
        await catalog.ask(DeletePolicy(policy_id=policy_id))
