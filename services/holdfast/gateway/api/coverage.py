"""Is everything protected?"""

from litestar import get
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from holdfast.events.queries import GetCoverage
from holdfast.gateway.api.problems import problems
from holdfast.gateway.catalog_client import CatalogClient
from holdfast.gateway.schemas.devices import Coverage


@get(
    "/coverage",
    operation_id="getCoverage",
    summary="Each volume and directory of each app: what protects it, or why nothing does",
    tags=["Status"],
    responses=problems(),
)
async def coverage(catalog: NamedDependency[SkipValidation[CatalogClient]]) -> Coverage:
    """As the last discovery of each device found them, and the paths that people declared."""
    return Coverage(entries=await catalog.ask(GetCoverage()))
