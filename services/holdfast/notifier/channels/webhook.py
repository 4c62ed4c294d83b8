"""HTTP POST to one address, signed as Standard Webhooks has it (standardwebhooks.com)."""

from urllib.parse import urlsplit

import aiohttp

from holdfast.events.base import encode
from holdfast.kernel.clock import Now
from holdfast.kernel.errors import InvalidRequestError
from holdfast.kernel.secret import Secret
from holdfast.notifier.channels.base import DeliveryError
from holdfast.notifier.domain import Message
from holdfast.secretbox.webhooks import webhook_signature

TIMEOUT_SECONDS = 15.0
"""What Standard Webhooks lets a receiver take."""

TOLD_OF_ANSWER = 300
"""Characters of a refusal that are worth keeping."""


class WebhookChannel:
    """Posts each message as JSON.

    The address may hold a token, so it is in no error and no log; the host is.
    """

    def __init__(
        self, url: str, secret: Secret, now: Now, *, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        """Raises InvalidRequestError when *url* is not one."""
        self._url = url
        self._host = _host_of(url)
        self._secret = secret
        self._now = now
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, message: Message) -> None:
        """See ``Channel.send``.  Anything but a 2xx is a refusal, a redirect too: what is
        meant for one receiver must not be sent on to another."""
        body = encode(message)
        try:
            async with self._open_session().post(
                self._url, data=body, headers=self._headers(message, body), allow_redirects=False
            ) as response:
                if 200 <= response.status < 300:
                    return
                answer = await response.content.read(TOLD_OF_ANSWER)
                raise DeliveryError(
                    f"The webhook receiver {self._host} answered {response.status}.",
                    detail=answer.decode(errors="replace"),
                )
        except TimeoutError as error:
            raise DeliveryError(
                f"The webhook receiver {self._host} did not answer in time."
            ) from error
        except aiohttp.ClientError as error:
            # Its words may hold the address; its kind says enough.
            raise DeliveryError(
                f"The webhook receiver {self._host} could not be reached.",
                detail=type(error).__name__,
            ) from error

    async def close(self) -> None:
        """Give up connections."""
        if self._session is not None:
            await self._session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        """Made at the first use, inside the running loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        return self._session

    def _headers(self, message: Message, body: bytes) -> dict[str, str]:
        """The time is that of sending, not of the run: a receiver refuses what is old."""
        message_id = str(message.id)
        sent_at = self._now()
        return {
            "content-type": "application/json",
            "user-agent": "Holdfast",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(sent_at.timestamp())),
            "webhook-signature": webhook_signature(self._secret, message_id, sent_at, body),
        }


def _host_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidRequestError(
            "HOLDFAST_WEBHOOK_URL is not a web address.",
            guidance="It must look like https://example.org/hook.",
        )
    return host
