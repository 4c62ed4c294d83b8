"""The web application: a table of contents of the routes."""

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig

from holdfast.gateway.api.apps import AppRoutes
from holdfast.gateway.api.configurations import ConfigurationRoutes, preview_schedule
from holdfast.gateway.api.coverage import coverage
from holdfast.gateway.api.destinations import DestinationRoutes
from holdfast.gateway.api.devices import DeviceRoutes
from holdfast.gateway.api.health import health, metrics, ready
from holdfast.gateway.api.live import events
from holdfast.gateway.api.policies import PolicyRoutes
from holdfast.gateway.api.portable import PortableRoutes
from holdfast.gateway.api.recovery import RecoveryRoutes
from holdfast.gateway.api.runs import RunRoutes, status
from holdfast.gateway.api.schema import schema
from holdfast.gateway.api.snapshots import SnapshotRoutes
from holdfast.gateway.api.verification import PriceRoutes, VerificationRoutes
from holdfast.gateway.auth import token_guard
from holdfast.gateway.deps import Deps
from holdfast.gateway.errors import API, on_error

MAX_BODY_BYTES = 1024 * 1024


def create_app(deps: Deps, openapi_config: OpenAPIConfig | None = None) -> Litestar:
    """All routes over *deps*.

    ``openapi_config`` is only for making the schema: with it the framework adds pages of
    its own, which answer errors as HTML.
    """
    with_token = Router(
        "/",
        guards=[token_guard(lambda: deps.tokens)],
        route_handlers=[
            # The short form of the address; described once, below /api/v1.
            Router("/", include_in_schema=False, route_handlers=[events]),
            Router(
                API,
                route_handlers=[
                    DestinationRoutes,
                    VerificationRoutes,
                    PriceRoutes,
                    DeviceRoutes,
                    AppRoutes,
                    PolicyRoutes,
                    ConfigurationRoutes,
                    preview_schedule,
                    PortableRoutes,
                    SnapshotRoutes,
                    RunRoutes,
                    RecoveryRoutes,
                    status,
                    coverage,
                    events,
                ],
            ),
        ],
    )
    return Litestar(
        [with_token, health, ready, metrics, *([] if openapi_config else [schema])],
        dependencies={
            "catalog": Provide(lambda: deps.catalog, sync_to_thread=False),
            "stream": Provide(lambda: deps.events, sync_to_thread=False),
            "deps": Provide(lambda: deps, sync_to_thread=False),
        },
        exception_handlers={Exception: on_error},
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=openapi_config,
        logging_config=None,
        debug=False,
    )
