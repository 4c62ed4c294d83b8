"""Messages that cannot be handled are set aside with their payload and the reason."""

from nats.aio.msg import Msg
from nats.js import JetStreamContext

from holdfast.bus.topology import DEAD_LETTERS
from holdfast.telemetry.logs import Log
from holdfast.telemetry.metrics import DEAD_LETTERS as DEAD_LETTERS_TOTAL

log = Log("bus")


async def set_aside(context: JetStreamContext, message: Msg, service: str, reason: str) -> None:
    """Copy *message* to the dead letters, and only then take it off its queue."""
    await copy(context, message, service, reason)
    await message.term()


async def copy(context: JetStreamContext, message: Msg, service: str, reason: str) -> None:
    """Copy *message* to the dead letters; it stays where it is.  Once, though told twice."""
    metadata = message.metadata
    headers = {
        **(message.headers or {}),
        "Holdfast-Dead-Service": service,
        "Holdfast-Dead-Reason": " ".join(reason.split())[:500],
        "Holdfast-Dead-Attempts": str(metadata.num_delivered),
        "Nats-Msg-Id": f"dead-{service}-{metadata.stream}-{metadata.sequence.stream}",
    }
    kept = await context.publish(
        f"dead.{message.subject}", message.data, stream=DEAD_LETTERS, headers=headers
    )
    if kept.duplicate:
        return
    DEAD_LETTERS_TOTAL.labels(service, (message.headers or {}).get("ce-type", "unknown")).inc()
    log.error("dead_letter", service=service, subject=message.subject, reason=reason)
