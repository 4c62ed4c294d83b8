"""That each channel gets what is told, and that a refusal is not swallowed."""

import pytest

from holdfast.events.run import Operation, RunCompleted, RunStatus
from holdfast.kernel.clock import utc_now
from holdfast.kernel.ids import new_id
from holdfast.notifier.channels.base import DeliveryError
from holdfast.notifier.domain import Message
from holdfast.notifier.handlers import Deps, on_run_completed


class Recorder:
    """A channel that remembers, or refuses."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.sent: list[Message] = []
        self.refuses = refuses

    async def send(self, message: Message) -> None:
        if self.refuses:
            raise DeliveryError
        self.sent.append(message)

    async def close(self) -> None:
        self.sent.clear()


def completed(status: RunStatus) -> RunCompleted:
    return RunCompleted(
        event_id=new_id(),
        occurred_at=utc_now(),
        run_id=new_id(),
        claim=1,
        operation=Operation.BACKUP,
        status=status,
        started_at=utc_now(),
    )


async def test_each_channel_is_told() -> None:
    one, two = Recorder(), Recorder()

    await on_run_completed(completed(RunStatus.FAILED), Deps(channels=[one, two]))

    assert [each.type for each in one.sent + two.sent] == ["backup.failed", "backup.failed"]


async def test_what_is_not_told_reaches_no_channel() -> None:
    channel = Recorder()

    await on_run_completed(completed(RunStatus.CANCELLED), Deps(channels=[channel]))

    assert channel.sent == []


async def test_a_refusal_is_raised_so_that_the_event_comes_again() -> None:
    with pytest.raises(DeliveryError) as caught:
        await on_run_completed(completed(RunStatus.FAILED), Deps(channels=[Recorder(refuses=True)]))

    assert caught.value.retryable


async def test_without_a_channel_nothing_happens() -> None:
    await on_run_completed(completed(RunStatus.FAILED), Deps(channels=[]))
