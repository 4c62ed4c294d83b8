"""The executor: pulls work, does it with restic, says how it ended."""

import os
import secrets
import socket
import time
from datetime import timedelta

from holdfast.devices.local import LocalRunner
from holdfast.executor.attempt import Deps, notes_in
from holdfast.executor.watches import EngineWatches
from holdfast.executor.worker import Worker
from holdfast.restic.binary import find_restic
from holdfast.runtime import Runtime, Service
from holdfast.secretbox.envelope import ReceiverKey


async def build(runtime: Runtime) -> Service:
    """The worker, its ear for wishes to cancel, its ears at engines.  Raises ResticMissingError."""
    settings = runtime.settings
    runner = LocalRunner(notes=notes_in(settings.cache))
    watches = EngineWatches(runtime.bus.publish, runtime.now, runner)
    worker = Worker(
        Deps(
            bus=runtime.bus,
            now=runtime.now,
            monotonic=time.monotonic,
            executor_id=executor_id(),
            # Of this process alone, in memory alone: what is sealed to it dies with it.
            key=ReceiverKey.generate(),
            restic=find_restic(settings.restic),
            rclone=settings.rclone,
            runner=runner,
            site=settings.site,
            slots=settings.executor_slots,
            claim_seconds=settings.claim_seconds,
            cache=settings.cache,
            app_lease_seconds=round(settings.app_lease_seconds),
            lock_wait=timedelta(seconds=settings.lock_wait_seconds),
            platform=settings,
            watches=watches,
        )
    )
    return Service(name="executor", runs=[worker.run, worker.hear_cancels, watches.run])


def executor_id() -> str:
    """Unlike that of any other process, and still telling which one it is."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
