"""An executor in a process of its own that kills itself at a chosen step of a run.

A step is a moment just before or after something changes outside of the process: a part of
an object is written, an object appears, is moved or deleted, a restic starts or has ended.
"""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from holdfast.events.base import Work
from holdfast.events.queries import ListSnapshots
from holdfast.events.registry import EVENTS
from holdfast.events.views import SnapshotPage
from holdfast.events.work import DestinationAddress, DestinationSecrets
from holdfast.executor import mirror
from holdfast.restic.process import Restic
from holdfast.storage import local_objects
from support.executor import Bench, Place

NEVER = 1_000_000
CHILD = "import sys; sys.path[:] = sys.argv[1:]; from support.dying import main; main()"


class Orders(msgspec.Struct):
    """What the process is to do."""

    cache: str
    type: str
    work: msgspec.Raw
    places: list[tuple[DestinationAddress, DestinationSecrets]]
    step: int


def die_at(bench: Bench, work: Work, places: list[Place], step: int) -> int | None:
    """Let a process do *work* and die at *step*; the number of steps if it came to the end."""
    orders = Orders(
        cache=str(bench.deps.cache),
        type=work.TYPE,
        work=msgspec.Raw(msgspec.json.encode(work)),
        places=[(place.address, place.secrets) for place in places],
        step=step,
    )
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *sys.path],
        input=msgspec.json.encode(orders),
        capture_output=True,
        check=False,
    )
    if done.returncode == -signal.SIGKILL:
        return None
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return int(done.stdout.split()[-1])


class Steps:
    """Counts, and kills the process when it is time."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0

    def step(self) -> None:
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1

    def around(self, owner: Any, name: str) -> None:
        """A step before and one after each call."""
        real = getattr(owner, name)

        def call(*given: Any, **more: Any) -> Any:
            self.step()
            result = real(*given, **more)
            self.step()
            return result

        async def wait(*given: Any, **more: Any) -> Any:
            self.step()
            result = await real(*given, **more)
            self.step()
            return result

        setattr(owner, name, wait if asyncio.iscoroutinefunction(real) else call)


def main() -> None:
    orders = msgspec.json.decode(sys.stdin.buffer.read(), type=Orders)
    steps = Steps(orders.step)
    steps.around(local_objects.LocalIncoming, "_write")
    steps.around(local_objects.LocalIncoming, "_commit")
    steps.around(local_objects, "_move")
    steps.around(mirror, "_carry")
    steps.around(Restic, "run")
    bench = Bench(Path(orders.cache))
    bench.knows(*(Place(address, secrets) for address, secrets in orders.places))
    bench.bus.answers[ListSnapshots] = lambda _: SnapshotPage(snapshots=())
    work = msgspec.json.decode(orders.work, type=EVENTS[orders.type])
    assert isinstance(work, Work)
    asyncio.run(bench.do(work))
    print(steps.count)
