"""Retention: hears that backups ended and prunes are due, asks for forgets and prunes."""

from holdfast.events.due import PruneDue
from holdfast.events.run import RunCompleted
from holdfast.retention.handlers import Deps, on_prune_due, on_run_completed
from holdfast.runtime import Runtime, Service, hear


async def build(runtime: Runtime) -> Service:
    """It remembers nothing: what it decides from, it asks the catalog for each time."""
    deps = Deps(bus=runtime.bus, now=runtime.now)
    return Service(
        name="retention",
        hears=[
            hear(RunCompleted, on_run_completed, deps, only_new=True),
            hear(PruneDue, on_prune_due, deps, only_new=True),
        ],
    )
