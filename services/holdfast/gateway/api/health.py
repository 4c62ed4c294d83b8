"""Whether this process is alive and ready, and its metrics; all without a token."""

from litestar import MediaType, Response, get
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from holdfast.events.queries import GetIdentity
from holdfast.gateway.deps import Deps
from holdfast.kernel.errors import UnavailableError
from holdfast.telemetry.metrics import metrics_text

READY_SECONDS = 2.0


@get(
    "/health",
    operation_id="getHealth",
    summary="Is this process alive?",
    tags=["Health"],
    media_type=MediaType.TEXT,
    security=[{}],
)
async def health() -> str:
    """Always, as long as it can answer."""
    return "ok\n"


@get(
    "/ready",
    operation_id="getReady",
    summary="Can requests be served?",
    tags=["Health"],
    media_type=MediaType.TEXT,
    security=[{}],
)
async def ready(deps: NamedDependency[SkipValidation[Deps]]) -> str:
    """Once all services have started, and while bus and catalog answer; otherwise 503."""
    if not deps.has_started():
        raise UnavailableError("Not every service has started.")
    await deps.catalog.ask(GetIdentity(), READY_SECONDS)
    return "ready\n"


@get(
    "/metrics",
    operation_id="getMetrics",
    summary="Metrics in Prometheus' text format",
    tags=["Health"],
    media_type=MediaType.TEXT,
    security=[{}],
)
async def metrics() -> Response[bytes]:
    """Of this process."""
    return Response(metrics_text(), media_type="text/plain; version=0.0.4; charset=utf-8")
