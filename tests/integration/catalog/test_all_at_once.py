"""Everything at once: no two transactions wait for each other, and the rules still hold."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import pytest

from holdfast.bus.errors import RetryLater
from holdfast.catalog.answers.runs import answer_cancel_run
from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.admission import BACKUPS_PER_DEVICE
from holdfast.catalog.handlers import (
    on_backup_due,
    on_forget_requested,
    on_run_completed,
    on_snapshot_completed,
    on_snapshot_failed,
)
from holdfast.catalog.keeper import Keeper
from holdfast.events.queries import CancelRun
from holdfast.events.retention import ForgetRequested
from holdfast.events.run import ForgetResult, Operation, RunCompleted, RunStatus
from holdfast.kernel.errors import ConflictError
from holdfast.kernel.ids import new_id
from support.catalog import Clock
from support.destinations import add_local
from support.runs import (
    Protected,
    claimed,
    due,
    protected_app,
    run_ended,
    run_of,
    snapshot_failed,
    snapshot_made,
    started,
)

pytestmark = pytest.mark.postgres


class Load:
    """Scheduler, people, retention and executors, each doing one thing at a time."""

    def __init__(self, deps: Deps, clock: Clock, apps: list[Protected]) -> None:
        self.deps, self.clock, self.apps = deps, clock, apps
        self.random = random.Random(7)

    async def schedule(self, number: int) -> None:
        at = self.clock() + timedelta(seconds=number)
        await on_backup_due(due(self.apps[number % len(self.apps)], at), self.deps)

    async def start(self, number: int) -> None:
        await started(self.deps, self.apps[-1 - number % len(self.apps)])

    async def add(self, number: int) -> None:
        accepted = await add_local(self.deps, f"new-{new_id()}")
        await self.cancel(accepted.run_id)

    async def retain(self, number: int) -> None:
        app = self.apps[number % len(self.apps)]
        known = await self.deps.pool.fetch(
            "select restic_snapshot_id from snapshot where configuration_id = $1"
            " and restic_snapshot_id is not null and forgotten_at is null",
            app.configuration_id,
        )
        await on_forget_requested(
            ForgetRequested(
                event_id=new_id(),
                occurred_at=self.clock(),
                run_id=new_id(),
                configuration_id=app.configuration_id,
                destination_id=app.destination_ids[0],
                restic_snapshot_ids=tuple(each["restic_snapshot_id"] for each in known[1:]),
            ),
            self.deps,
        )

    async def cancel(self, run_id: UUID) -> None:
        with suppress(ConflictError):
            await answer_cancel_run(CancelRun(run_id=run_id), self.deps)

    async def cancel_some(self, number: int) -> None:
        rows = await self.deps.pool.fetch("select id from run where status = 'queued'")
        if rows:
            await self.cancel(self.random.choice(rows)["id"])

    async def work(self, number: int) -> None:
        rows = await self.deps.pool.fetch("select id from run where status = 'in_progress'")
        if rows:
            await self.do(self.random.choice(rows)["id"])

    async def do(self, run_id: UUID) -> None:
        deps, now = self.deps, self.clock()
        claim = (answer := await claimed(deps, run_id)).claim
        if not answer.granted:
            return
        run = await run_of(deps, run_id)
        fails = self.random.random() < 0.3
        result, words = None, []
        for place in range(len(run.snapshot_ids)):
            if fails:
                words.append(
                    on_snapshot_failed(snapshot_failed(run, claim, now, place=place), deps)
                )
            else:
                made = snapshot_made(run, claim, now, place=place, restic_id=str(new_id()))
                words.append(on_snapshot_completed(made, deps))
        if run.operation is Operation.FORGET:
            ids = await deps.pool.fetchval(
                "select work -> 'restic_snapshot_ids' from run where id = $1", run_id
            )
            result = ForgetResult(restic_snapshot_ids=tuple(ids))
        status = RunStatus.FAILED if fails and words else RunStatus.SUCCESS
        ended = run_ended(run, claim, now, status=status, result=result)
        await asyncio.gather(*words, self.end(ended), self.end(ended))

    async def end(self, ended: RunCompleted) -> None:
        while True:
            try:
                return await on_run_completed(ended, self.deps)
            except RetryLater:
                await asyncio.sleep(0)

    async def watch(self, number: int) -> None:
        """What is in progress right now keeps to the rules."""
        rows = await self.deps.pool.fetch("select * from run where status = 'in_progress'")
        backups = [row for row in rows if row["operation"] == "backup"]
        assert len(backups) <= BACKUPS_PER_DEVICE
        assert len({row["configuration_id"] for row in backups}) == len(backups)
        users = Counter(place for row in rows for place in row["destination_ids"])
        alone = {place for row in rows if row["exclusive"] for place in row["destination_ids"]}
        assert all(users[place] == 1 for place in alone)


async def test_everything_at_once(deps: Deps, clock: Clock) -> None:
    names = ("A", "B", "C")
    apps = [
        await protected_app(deps, name=f"app-{number}", destinations=names) for number in range(6)
    ]
    load = Load(deps, clock, apps)
    keeper = Keeper(deps)
    acts = (load.schedule, load.start, load.work, load.work, load.retain, load.cancel_some)

    for number in range(12):
        clock.advance(minutes=5)
        await asyncio.gather(
            *(act(number + each) for act in acts for each in range(3)),
            load.add(number),
            load.watch(number),
            keeper.step(),
        )

    async with asyncio.timeout(60):
        while await deps.pool.fetchval(
            "select count(*) from run where status in ('queued', 'in_progress')"
        ):
            clock.advance(minutes=5)
            await asyncio.gather(*(load.work(0) for _ in range(6)), load.watch(0), keeper.step())
    unfinished = "select count(*) from snapshot where status in ('queued', 'in_progress')"
    assert await deps.pool.fetchval(unfinished) == 0
    assert await deps.pool.fetchval("select count(*) from destination") == len(names)
