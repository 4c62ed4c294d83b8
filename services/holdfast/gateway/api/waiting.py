"""Routes that start a run: answered at once, or with ``wait`` when it has ended."""

from typing import Any

from litestar import Response
from litestar.openapi.datastructures import ResponseSpec

from holdfast.events.run import RunStatus
from holdfast.events.views import RunAccepted, RunView
from holdfast.gateway.api.problems import problems
from holdfast.gateway.catalog_client import CatalogClient
from holdfast.gateway.errors import restoring_failed


def run_responses(
    accepted: str, ended: str, outcome: type[Any] = RunView
) -> dict[int, ResponseSpec]:
    """For OpenAPI: what is said of the run, and of its *outcome* with ``wait``."""
    return {
        **problems(404, 409, 422, 502, 504),
        202: ResponseSpec(
            data_container=RunAccepted, generate_examples=False, description=accepted
        ),
        200: ResponseSpec(
            data_container=outcome,
            generate_examples=False,
            description=f"With wait=true: {ended}",
        ),
    }


async def ended_well(catalog: CatalogClient, accepted: RunAccepted) -> RunView:
    """The run when it has ended.  Raises RunError unless it succeeded."""
    run = await catalog.wait_for_run(accepted.run_id, None)
    if run.status is not RunStatus.SUCCESS:
        raise restoring_failed(run)
    return run


async def run_or_accepted(
    catalog: CatalogClient, accepted: RunAccepted, *, wait: bool
) -> Response[RunAccepted | RunView]:
    """The answer.  Raises as ``ended_well``."""
    if not wait:
        return Response(accepted, status_code=202)
    return Response(await ended_well(catalog, accepted), status_code=200)
