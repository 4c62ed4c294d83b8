"""The pull loop, without restic: what it survives."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from holdfast.bus.testing import RecordedJob, RecordingBus
from holdfast.events.run import RunCompleted
from holdfast.events.work import ProbeRequested
from holdfast.executor.worker import Worker
from support.executor import Bench, local_place, until, work_of


class Stumbling(RecordingBus):
    """Fails once in a way that nobody expects."""

    stumbles = 1

    async def next_job(self, site: str, timeout: float) -> RecordedJob | None:
        if self.stumbles:
            self.stumbles -= 1
            raise RuntimeError("never seen before")
        return await super().next_job(site, timeout)


async def test_a_worker_that_broke_and_is_started_again_works(tmp_path: Path) -> None:
    bus: Any = Stumbling()
    bench = Bench(tmp_path / "cache", restic=Path("/nowhere/restic"), bus=bus)
    bus.answers.update(bench.bus.answers)
    place = local_place(tmp_path / "gone")
    bench.knows(place)
    worker, stop = Worker(bench.deps), asyncio.Event()
    job = RecordedJob(work_of(ProbeRequested, place))
    bus.jobs.put_nowait(job)

    with pytest.raises(RuntimeError, match="never seen before"):
        await worker.run(stop)
    working = asyncio.create_task(worker.run(stop))
    await until(lambda: job.fate, what="the job is settled")
    stop.set()
    await working

    assert job.fate == ("done", None)
    assert [type(each) for each in bus.published] == [RunCompleted]
