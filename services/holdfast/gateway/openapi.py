"""The API's description, made from the routes; the committed file is compared with it."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import cache
from typing import Any

import msgspec
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme, Tag

from holdfast.events import views
from holdfast.events.base import Event
from holdfast.events.queries import ImportReport, Query
from holdfast.events.run import RunProgress
from holdfast.gateway.app import create_app
from holdfast.gateway.auth import TokenVerifier
from holdfast.gateway.catalog_client import CatalogClient, R
from holdfast.gateway.deps import Deps
from holdfast.gateway.event_stream import EventStream
from holdfast.gateway.schemas import (
    configurations,
    destinations,
    devices,
    policies,
    portable,
    problem,
    recovery,
    snapshots,
    verification,
)
from holdfast.kernel.errors import UnavailableError

VERSION = "1"
"""Of the API, not of a release."""

CONFIG = OpenAPIConfig(
    title="Holdfast",
    version=VERSION,
    description=(
        "Encrypted, deduplicated backups of every app in the house. "
        "Every error is a problem document (RFC 9457) with a stable `code`."
    ),
    components=Components(
        security_schemes={
            "token": SecurityScheme(
                type="http",
                scheme="bearer",
                description="The administrator's token is in DIR/admin-token.",
            )
        }
    ),
    security=[{"token": []}],
    tags=[
        Tag(name="Destinations", description="Places backups go."),
        Tag(name="Checks", description="Proof that what is stored can be read; sizes and costs."),
        Tag(name="Devices", description="Machines whose data is backed up."),
        Tag(name="Apps", description="Applications, as the paths of their data."),
        Tag(name="Policies", description="Schedule, keep rules and destinations together."),
        Tag(name="Configurations", description="Which app is backed up by which policy."),
        Tag(name="Moving", description="All settings as a file, and back."),
        Tag(name="Snapshots", description="What backups came to, and bringing it back."),
        Tag(name="Runs", description="Executions of operations."),
        Tag(name="Recovery", description="Getting data back without Holdfast."),
        Tag(name="Status", description="The whole house at a glance."),
        Tag(name="Events", description="What happens, as it happens."),
        Tag(name="Health", description="For supervisors; without a token."),
    ],
    use_handler_docstrings=True,
)


class _NoBus:
    """Never connected: a schema asks nobody."""

    connected = False
    reconnects = 0

    async def request(self, query: Query[R], *, timeout: float = 0) -> R:  # noqa: ARG002 - the bus's signature
        raise UnavailableError

    async def last_fact(self) -> int:
        raise UnavailableError

    def facts(self, after_sequence: int | None) -> AsyncIterator[tuple[int, Event]]:  # noqa: ARG002 - the bus's signature
        raise UnavailableError

    def progress(self) -> AsyncIterator[RunProgress]:
        raise UnavailableError


SHOWN = (
    destinations.LocalDestinationRequest,
    destinations.S3DestinationRequest,
    destinations.UndeleteRequest,
    destinations.SftpDestinationRequest,
    destinations.DestinationPatch,
    destinations.DestinationList,
    destinations.DestinationPatch,
    destinations.TestOutcome,
    devices.DeviceRequest,
    devices.DevicePatch,
    devices.DeviceList,
    devices.AppRequest,
    devices.AppRestoreRequest,
    devices.AppList,
    policies.PolicyRequest,
    policies.PolicyPatch,
    policies.PolicyList,
    configurations.ConfigurationRequest,
    configurations.ConfigurationPatch,
    configurations.ConfigurationList,
    configurations.DrillRequest,
    portable.ExportRequest,
    portable.ExportFile,
    portable.ImportRequest,
    ImportReport,
    snapshots.RestoreRequest,
    snapshots.RestoreOutcome,
    verification.CheckRequest,
    verification.VerificationRequest,
    verification.PriceRequest,
    verification.PriceList,
    problem.Problem,
    recovery.RecoveryKitRequest,
    views.BackupStarted,
    views.RunAccepted,
    views.RunPage,
    views.SnapshotPage,
    views.StatusView,
    views.StatsView,
    views.VerificationView,
)
"""The bodies; what they hold comes with them."""


def _components() -> dict[str, Any]:
    """The bodies' schemas as msgspec makes them.

    The framework's own lose a lower limit of zero, the union's discriminator and the
    texts; the names are the same.
    """
    _, components = msgspec.json.schema_components(
        SHOWN, ref_template="#/components/schemas/{name}"
    )
    return components


@cache
def openapi_json() -> bytes:
    """OpenAPI 3.1, indented, with sorted keys, so that a change reads well in a diff."""
    bus, stopping = _NoBus(), asyncio.Event()
    catalog = CatalogClient(bus, stopping, time.monotonic)
    app = create_app(
        Deps(
            catalog=catalog,
            tokens=TokenVerifier(catalog, time.monotonic),
            events=EventStream(bus, stopping),
            has_started=lambda: False,
            openapi=lambda: b"",
        ),
        CONFIG,
    )
    schema = msgspec.to_builtins(app.openapi_schema.to_schema())
    schema["components"]["schemas"].update(_components())
    return msgspec.json.format(msgspec.json.encode(schema, order="sorted"), indent=2) + b"\n"
