"""How events and answers look on the wire: CloudEvents 1.0, binary mode, JSON bodies."""

from collections.abc import Mapping
from typing import Any

import msgspec

from holdfast.events.base import Event, Work
from holdfast.events.registry import EVENTS
from holdfast.kernel.errors import HoldfastError

ERROR_HEADER = "Holdfast-Error"


def headers_of(event: Event, source: str) -> dict[str, str]:
    """CloudEvents attributes, and the id by which the stream drops a repeat."""
    headers = {
        "ce-specversion": "1.0",
        "ce-id": str(event.event_id),
        "ce-type": event.TYPE,
        "ce-source": f"/holdfast/{source}",
        "ce-time": event.occurred_at.isoformat(),
        "content-type": "application/json",
        "Nats-Msg-Id": str(event.event_id),
    }
    if isinstance(event, Work):
        headers["ce-subject"] = str(event.run_id)
    return headers


def decode_event(headers: Mapping[str, str] | None, body: bytes) -> Event:
    """The event that a message holds.

    Raises msgspec.DecodeError when the type is unknown or the body does not fit.
    """
    name = (headers or {}).get("ce-type", "")
    event_type = EVENTS.get(name)
    if event_type is None:
        raise msgspec.DecodeError(f"no event is of type {name!r}")
    return msgspec.json.decode(body, type=event_type)


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A HoldfastError on its way back to the asker."""

    code: str
    message: str
    guidance: str = ""
    detail: str = ""
    retryable: bool = False
    status: int = 500

    @staticmethod
    def of(error: HoldfastError) -> "Problem":
        return Problem(
            code=error.code,
            message=error.message,
            guidance=error.hint,
            detail=error.detail,
            retryable=error.retryable,
            status=error.status,
        )

    def as_error(self) -> HoldfastError:
        """The same error on this side."""
        error = HoldfastError(self.message, guidance=self.guidance, detail=self.detail)
        error.code = self.code
        error.retryable = self.retryable
        error.status = self.status
        return error


def decode_reply(headers: Mapping[str, str] | None, body: bytes, reply_type: Any) -> Any:
    """The answer, or the error raised that came instead of it."""
    if headers and ERROR_HEADER in headers:
        raise msgspec.json.decode(body, type=Problem).as_error()
    return msgspec.json.decode(body, type=reply_type)
