"""What the notifier hears: that a run ended, that a repository is damaged or whole again, that
copies differ."""

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.events.discovery import DataUnprotected, DeviceUnseen
from holdfast.events.repository import RepositoryDamaged, RepositoryMended
from holdfast.events.run import RunCompleted
from holdfast.events.snapshot import ReplicasDiffer
from holdfast.notifier.channels.base import Channel
from holdfast.notifier.domain import (
    Message,
    damage_message,
    mended_message,
    message_of,
    message_of_difference,
    unprotected_message,
    unseen_message,
)


@dataclass(frozen=True)
class Deps:
    """What the handlers are given."""

    channels: Sequence[Channel]


async def on_run_completed(event: RunCompleted, deps: Deps) -> None:
    """Tell whoever should know.  Raises DeliveryError, and the event comes again later."""
    message = message_of(event)
    if message is not None:
        await _tell(message, deps)


async def on_repository_damaged(event: RepositoryDamaged, deps: Deps) -> None:
    """Tell of damage.  Raises DeliveryError, and the event comes again later."""
    await _tell(damage_message(event), deps)


async def on_repository_mended(event: RepositoryMended, deps: Deps) -> None:
    """Tell that it is over.  Raises DeliveryError, and the event comes again later."""
    message = mended_message(event)
    if message is not None:
        await _tell(message, deps)


async def on_data_unprotected(event: DataUnprotected, deps: Deps) -> None:
    """Tell of data without a backup.  Raises DeliveryError, and the event comes again later."""
    await _tell(unprotected_message(event), deps)


async def on_device_unseen(event: DeviceUnseen, deps: Deps) -> None:
    """Tell of a device out of sight.  Raises DeliveryError, and the event comes again later."""
    await _tell(unseen_message(event), deps)


async def on_replicas_differ(event: ReplicasDiffer, deps: Deps) -> None:
    """Tell of a difference.  Raises DeliveryError, and the event comes again later."""
    await _tell(message_of_difference(event), deps)


async def _tell(message: Message, deps: Deps) -> None:
    for channel in deps.channels:
        await channel.send(message)
