"""What every channel promises, over a real connection; and the webhook's own promises."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from holdfast.events.run import Failure, RunStatus
from holdfast.kernel.clock import Now, utc_now
from holdfast.kernel.errors import InvalidRequestError
from holdfast.kernel.ids import derived_id
from holdfast.kernel.secret import Secret
from holdfast.notifier.channels.base import Channel, DeliveryError
from holdfast.notifier.channels.webhook import WebhookChannel
from holdfast.notifier.domain import Message, Severity
from support.receiver import Receiver

SECRET = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
TOKEN = "t0ps3cret"

MESSAGE = Message(
    id=derived_id("message"),
    type="backup.failed",
    title="Backup of Fotos für Oma failed",
    text="The repository is locked. Wait for the other run.",
    severity=Severity.ERROR,
    run_id=UUID("0198f3a2-6c1e-7105-9a4b-5d2e8c7f1105"),
    app_name="Fotos für Oma",
    status=RunStatus.FAILED,
    failure=Failure(code="repository_locked", message="The repository is locked."),
    occurred_at=datetime(2026, 3, 1, 2, 0, tzinfo=UTC),
)


def webhook(url: str, now: Now = utc_now) -> WebhookChannel:
    return WebhookChannel(f"{url}/hook?token={TOKEN}", SECRET, now, timeout_seconds=0.5)


# A new channel is a new name here; its receiver must count deliveries and know how to refuse.
CHANNELS: dict[str, Callable[[str], Channel]] = {"webhook": webhook}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.start()
    yield receiver
    await receiver.stop()


@pytest.fixture(params=CHANNELS)
async def channel(request: pytest.FixtureRequest, receiver: Receiver) -> AsyncIterator[Channel]:
    channel = CHANNELS[request.param](receiver.url)
    yield channel
    await channel.close()


async def test_a_message_arrives(channel: Channel, receiver: Receiver) -> None:
    await channel.send(MESSAGE)

    (delivery,) = receiver.deliveries
    assert MESSAGE.title in delivery.body.decode()


@pytest.mark.parametrize("status", [301, 400, 404, 410, 429, 500, 503])
async def test_a_refusal_is_an_error_that_may_pass(
    channel: Channel, receiver: Receiver, status: int
) -> None:
    receiver.answers = [status]

    with pytest.raises(DeliveryError) as caught:
        await channel.send(MESSAGE)

    assert caught.value.retryable
    assert str(status) in caught.value.message
    assert len(receiver.deliveries) == 1


async def test_after_a_refusal_the_same_message_goes_through(
    channel: Channel, receiver: Receiver
) -> None:
    receiver.answers = [500]

    with pytest.raises(DeliveryError, match="500"):
        await channel.send(MESSAGE)
    await channel.send(MESSAGE)

    assert len(receiver.deliveries) == 2


async def test_a_receiver_that_does_not_answer_is_not_waited_for(
    channel: Channel, receiver: Receiver
) -> None:
    receiver.hangs = True

    with pytest.raises(DeliveryError, match="in time"):
        await channel.send(MESSAGE)


async def test_a_receiver_that_is_away_is_an_error(channel: Channel, receiver: Receiver) -> None:
    await receiver.stop()

    with pytest.raises(DeliveryError, match="not be reached"):
        await channel.send(MESSAGE)


async def test_no_error_holds_the_address(channel: Channel, receiver: Receiver) -> None:
    receiver.answers = [500]
    words = []
    for _ in range(2):
        with pytest.raises(DeliveryError) as caught:
            await channel.send(MESSAGE)
        words.append(f"{caught.value} {caught.value.detail}")
        await receiver.stop()

    assert all(TOKEN not in each for each in words)


async def test_a_channel_may_be_closed_although_nothing_was_sent(receiver: Receiver) -> None:
    for make in CHANNELS.values():
        await make(receiver.url).close()


# ---- the webhook


@pytest.fixture
async def hook(receiver: Receiver) -> AsyncIterator[WebhookChannel]:
    hook = webhook(receiver.url)
    yield hook
    await hook.close()


async def test_the_signature_is_what_standard_webhooks_own_library_expects(
    hook: WebhookChannel, receiver: Receiver
) -> None:
    await hook.send(MESSAGE)
    (delivery,) = receiver.deliveries

    received = Webhook(SECRET.reveal()).verify(delivery.body, delivery.headers)

    assert received["type"] == "backup.failed"
    assert msgspec.json.decode(delivery.body, type=Message) == MESSAGE


async def test_a_changed_body_or_another_secret_does_not_verify(
    hook: WebhookChannel, receiver: Receiver
) -> None:
    await hook.send(MESSAGE)
    (delivery,) = receiver.deliveries

    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET.reveal()).verify(delivery.body + b" ", delivery.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 32).verify(delivery.body, delivery.headers)


async def test_a_repeat_has_the_same_id_and_the_time_of_its_own_sending(
    receiver: Receiver,
) -> None:
    times = iter([datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)])
    hook = webhook(receiver.url, lambda: next(times))
    receiver.answers = [500]
    with pytest.raises(DeliveryError):
        await hook.send(MESSAGE)
    await hook.send(MESSAGE)
    await hook.close()

    first, second = (delivery.headers for delivery in receiver.deliveries)
    assert first["webhook-id"] == second["webhook-id"] == str(MESSAGE.id)
    assert first["webhook-timestamp"] != second["webhook-timestamp"]
    assert first["webhook-signature"] != second["webhook-signature"]
    assert first["content-type"] == "application/json"


async def test_a_redirect_is_not_followed(hook: WebhookChannel, receiver: Receiver) -> None:
    receiver.answers = [302]

    with pytest.raises(DeliveryError):
        await hook.send(MESSAGE)

    assert [each.path for each in receiver.deliveries] == ["/hook"]


@pytest.mark.parametrize(
    "url",
    ["", "example.org/hook", "ftp://example.org", "http://", "file:///etc/passwd", "http://["],
)
def test_what_is_no_web_address_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(InvalidRequestError, match="HOLDFAST_WEBHOOK_URL"):
        WebhookChannel(url, SECRET, utc_now)
