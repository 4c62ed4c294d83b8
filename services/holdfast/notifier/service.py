"""The notifier: hears how runs ended, tells people and programs."""

from holdfast.events.discovery import DataUnprotected, DeviceUnseen
from holdfast.events.repository import RepositoryDamaged, RepositoryMended
from holdfast.events.run import RunCompleted
from holdfast.events.snapshot import ReplicasDiffer
from holdfast.notifier.channels.webhook import WebhookChannel
from holdfast.notifier.handlers import (
    Deps,
    on_data_unprotected,
    on_device_unseen,
    on_replicas_differ,
    on_repository_damaged,
    on_repository_mended,
    on_run_completed,
)
from holdfast.notifier.webhook_secret import load_or_create_webhook_secret
from holdfast.runtime import Runtime, Service, hear


async def build(runtime: Runtime) -> Service:
    """One channel, the webhook, when an address is set.

    The secret is made in any case: whoever sets up the receiver finds it there.  What
    ended before the first start is not told.
    """
    settings = runtime.settings
    secret = load_or_create_webhook_secret(settings.webhook_secret_file)
    channels = []
    if settings.webhook_url:
        channels.append(WebhookChannel(settings.webhook_url, secret, runtime.now))
    deps = Deps(channels=channels)
    return Service(
        name="notifier",
        hears=[
            hear(RunCompleted, on_run_completed, deps, only_new=True),
            hear(RepositoryDamaged, on_repository_damaged, deps, only_new=True),
            hear(RepositoryMended, on_repository_mended, deps, only_new=True),
            hear(DataUnprotected, on_data_unprotected, deps, only_new=True),
            hear(DeviceUnseen, on_device_unseen, deps, only_new=True),
            hear(ReplicasDiffer, on_replicas_differ, deps, only_new=True),
        ],
        closes=[channel.close for channel in channels],
    )
