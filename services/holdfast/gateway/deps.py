"""What the routes stand on, built once."""

from collections.abc import Callable
from dataclasses import dataclass

from holdfast.gateway.auth import TokenVerifier
from holdfast.gateway.catalog_client import CatalogClient
from holdfast.gateway.event_stream import EventStream


@dataclass(frozen=True)
class Deps:
    """One of each, shared by all requests."""

    catalog: CatalogClient
    tokens: TokenVerifier
    events: EventStream
    has_started: Callable[[], bool]
    """Whether every service of this process has started."""
    openapi: Callable[[], bytes]
    """The description of the API, as JSON."""
