"""The bus: NATS JetStream behind one thin wrapper, so that delivery is decided once."""

from holdfast.bus.bus import Bus, Job
from holdfast.bus.errors import RetryLater

__all__ = ["Bus", "Job", "RetryLater"]
