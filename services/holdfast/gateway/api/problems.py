"""Which problems a route may answer with, for OpenAPI."""

from http import HTTPStatus

from litestar.openapi.datastructures import ResponseSpec

from holdfast.gateway.errors import MEDIA_TYPE
from holdfast.gateway.schemas.problem import Problem

EVERYWHERE = (400, 401, 500, 503)
"""What any route with a token may answer."""


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """Problem details under each status, those of every route included."""
    return {
        status: ResponseSpec(
            data_container=Problem,
            generate_examples=False,
            description=HTTPStatus(status).phrase,
            media_type=MEDIA_TYPE,
        )
        for status in sorted({*EVERYWHERE, *statuses})
    }
