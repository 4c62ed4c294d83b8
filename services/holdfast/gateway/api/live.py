"""The event stream over Server-Sent Events."""

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.exceptions import ValidationException
from litestar.params import HeaderParameter, QueryParameter, SkipValidation
from litestar.response import Stream

from holdfast.events.base import Stream as KeptIn
from holdfast.events.registry import EVENTS
from holdfast.gateway.api.problems import problems
from holdfast.gateway.event_stream import EventStream

TYPES = frozenset(name for name, event in EVENTS.items() if event.STREAM is not KeptIn.WORK)
"""What can be followed; work is between the catalog and its executors."""


def chosen_types(text: str) -> frozenset[str]:
    """The types of a comma-separated list; empty for all.  Raises ValidationException."""
    wanted = frozenset(part.strip() for part in text.split(",") if part.strip())
    if unknown := sorted(wanted - TYPES):
        message = f"There is no event type {unknown[0]!r}; there are {', '.join(sorted(TYPES))}."
        raise ValidationException(extra=[{"key": "types", "message": message}])
    return wanted


@get(
    "/events",
    operation_id="followEvents",
    summary="Follow events as Server-Sent Events",
    tags=["Events"],
    media_type="text/event-stream",
    responses=problems(),
)
async def events(
    stream: NamedDependency[SkipValidation[EventStream]],
    types: Annotated[
        str, QueryParameter(max_length=1000, description="Only these, with commas between.")
    ] = "",
    last_event_id: Annotated[
        int | None,
        HeaderParameter(
            name="Last-Event-ID",
            ge=0,
            le=2**63 - 1,
            description="Facts after this one come first; absent: only what is new.",
        ),
    ] = None,
) -> Stream:
    """Facts have an id, `run.progress` has none; the data are CloudEvents 1.0."""
    return Stream(
        await stream.open(last_event_id, chosen_types(types)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
