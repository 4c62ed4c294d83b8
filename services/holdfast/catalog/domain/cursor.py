"""Where a page ends, as text that nobody needs to understand."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import msgspec

from holdfast.kernel.errors import InvalidRequestError

T = TypeVar("T")

MOST_ROWS = 500


class Place(msgspec.Struct, frozen=True, array_like=True):
    """The last row of a page: the next one starts after it."""

    at: datetime
    id: UUID


def to_cursor(place: Place) -> str:
    """URL-safe text."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(place)).decode().rstrip("=")


def from_cursor(cursor: str) -> Place:
    """The place.  Raises InvalidRequestError for what no page has given."""
    try:
        packed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return msgspec.msgpack.decode(packed, type=Place)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise InvalidRequestError(
            "cursor: this is not one of ours.", guidance="Use next_cursor of the page before."
        ) from error


def checked_limit(limit: int) -> int:
    """Raises InvalidRequestError."""
    if not 1 <= limit <= MOST_ROWS:
        raise InvalidRequestError(f"limit: {limit} is not between 1 and {MOST_ROWS}.")
    return limit


def cut(
    rows: Sequence[T], limit: int, place_of: Callable[[T], Place]
) -> tuple[tuple[T, ...], str | None]:
    """A page, and the cursor of the next one; None when *rows* has no row beyond *limit*."""
    page = tuple(rows[:limit])
    return page, to_cursor(place_of(page[-1])) if len(rows) > limit else None
