"""The streams and durable consumers, as data, and the one place that makes them so.

nats-py silently ignores a changed setting of a durable that exists, and FastStream
overwrites streams it declares; so nobody else declares anything.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import BadRequestError, NotFoundError

from holdfast.events.base import Stream

DAY = 24 * 3600.0
ACK_WAIT_SECONDS = 15.0
"""A message that nobody speaks for is given to another after this long."""

DEAD_LETTERS = "DEAD"

STREAMS = (
    StreamConfig(
        name=Stream.FACTS,
        subjects=["evt.>"],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_age=90 * DAY,
        max_bytes=2 * 1024**3,
        duplicate_window=3600.0,
    ),
    StreamConfig(
        name=Stream.WORK,
        subjects=["work.>"],
        retention=RetentionPolicy.WORK_QUEUE,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        discard_new_per_subject=True,
        max_msgs_per_subject=1,
        duplicate_window=3600.0,
    ),
    StreamConfig(
        name=DEAD_LETTERS,
        subjects=["dead.>"],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_age=30 * DAY,
        max_bytes=256 * 1024**2,
        duplicate_window=3600.0,
    ),
)


class Durable(msgspec.Struct, frozen=True, kw_only=True):
    """A consumer whose place in the stream is kept."""

    stream: str
    name: str
    subject: str
    max_pending: int = 1
    """How many messages may be out unacknowledged, over all processes."""
    only_new: bool = False
    """Start with what comes after it is made, not with what is already there."""


def executor_durable(site: str) -> Durable:
    """What the executors of a site share: each message goes to one of them."""
    return Durable(
        stream=Stream.WORK, name=f"executor-{site}", subject=f"work.{site}.>", max_pending=1000
    )


async def reconcile_streams(context: JetStreamContext) -> None:
    """Make every stream as it is described here; one that exists is updated."""
    for config in STREAMS:
        try:
            await context.add_stream(config)
        except BadRequestError:
            # It exists with other settings (err 10058), from an earlier release.
            await context.update_stream(config)


async def reconcile_durables(context: JetStreamContext, durables: Iterable[Durable]) -> None:
    """Make every durable as described; changed settings take effect."""
    for durable in durables:
        policy = DeliverPolicy.NEW if durable.only_new else DeliverPolicy.ALL
        settings: dict[str, Any] = {
            "durable_name": durable.name,
            "filter_subject": durable.subject,
            "ack_policy": AckPolicy.EXPLICIT,
            "ack_wait": ACK_WAIT_SECONDS,
            "max_ack_pending": durable.max_pending,
        }
        try:
            present = await context.consumer_info(durable.stream, durable.name)
        except NotFoundError:
            pass
        else:
            # The deliver policy of a durable cannot be changed: keep what it was made with.
            policy = present.config.deliver_policy or policy
        await context.add_consumer(
            durable.stream, ConsumerConfig(deliver_policy=policy, **settings)
        )


__all__ = [
    "ACK_WAIT_SECONDS",
    "DEAD_LETTERS",
    "STREAMS",
    "Durable",
    "executor_durable",
    "reconcile_durables",
    "reconcile_streams",
]
