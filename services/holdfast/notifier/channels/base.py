"""What every channel promises."""

from typing import Protocol

from holdfast.kernel.errors import HoldfastError
from holdfast.notifier.domain import Message


class DeliveryError(HoldfastError):
    """The receiver of notifications did not take a message."""

    code = "delivery_failed"
    guidance = "It is sent again. Look at the receiver's log, and check HOLDFAST_WEBHOOK_URL."
    retryable = True
    status = 502


class Channel(Protocol):
    """Delivers messages to one receiver."""

    async def send(self, message: Message) -> None:
        """Deliver *message*, and know that the receiver took it.

        The same message may be sent again; the receiver can tell by its id.
        Raises DeliveryError.
        """

    async def close(self) -> None:
        """Give up connections."""
