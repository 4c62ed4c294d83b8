"""The description of this API."""

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from holdfast.gateway.deps import Deps


@get(["/schema", "/schema/openapi.json"], include_in_schema=False)
async def schema(deps: NamedDependency[SkipValidation[Deps]]) -> Response[bytes]:
    """OpenAPI 3.1 as JSON; no token needed, for it holds nothing of this instance."""
    return Response(
        deps.openapi(),
        media_type="application/vnd.oai.openapi+json;version=3.1",
        headers={"Cache-Control": "no-cache"},
    )
