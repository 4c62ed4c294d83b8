"""From an event on a real bus to a request at a real receiver, with a refusal on the way."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from holdfast.bus import Bus
from holdfast.events.run import Operation, RunCompleted, RunStatus
from holdfast.kernel.clock import utc_now
from holdfast.kernel.ids import new_id
from holdfast.notifier.service import build
from holdfast.runtime import Runtime
from holdfast.runtime.host import Host
from holdfast.settings import Settings
from support.receiver import Receiver

pytestmark = pytest.mark.nats


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.start()
    yield receiver
    await receiver.stop()


def completed(status: RunStatus) -> RunCompleted:
    return RunCompleted(
        event_id=new_id(),
        occurred_at=utc_now(),
        run_id=new_id(),
        claim=1,
        operation=Operation.BACKUP,
        status=status,
        started_at=utc_now(),
        app_name="photos",
    )


async def test_a_failure_reaches_the_receiver_although_it_refuses_at_first(
    nats_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    settings = Settings(data=tmp_path, webhook_url=f"{receiver.url}/hook")
    bus = await Bus.open(nats_url, "test")
    host = Host(Runtime(settings=settings, bus=bus), nats_url, "test")
    receiver.answers = [500]
    try:
        # What ended before the notifier's first start is nobody's news.
        await bus.publish(completed(RunStatus.FAILED))
        await host.start([build])

        event = completed(RunStatus.FAILED)
        await bus.publish(event)
        async with asyncio.timeout(20):
            while len(receiver.deliveries) < 2:
                await asyncio.sleep(0.01)
    finally:
        await host.stop()
        await bus.close()

    secret = await asyncio.to_thread(settings.webhook_secret_file.read_text)
    refused, taken = receiver.deliveries
    assert refused.headers["webhook-id"] == taken.headers["webhook-id"]
    assert Webhook(secret.strip()).verify(taken.body, taken.headers)["run_id"] == str(event.run_id)
    assert os.stat(settings.webhook_secret_file).st_mode & 0o777 == 0o600
