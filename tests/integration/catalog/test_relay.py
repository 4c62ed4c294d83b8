"""The outbox: what a transaction made true is published, in order, whatever is away."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from holdfast.bus import Bus
from holdfast.bus.testing import RecordingBus
from holdfast.catalog.answers.runs import answer_wait_for_run
from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import on_run_completed, on_snapshot_completed
from holdfast.catalog.keeper import SILENCE, Keeper
from holdfast.catalog.relay import Relay
from holdfast.catalog.store import outbox
from holdfast.catalog.store.pool import DatabaseUnavailableError, open_pool, transaction
from holdfast.catalog.store.runs import ENDED_CHANNEL
from holdfast.catalog.waiting import listen
from holdfast.events.base import Event
from holdfast.events.changes import Change, PolicyChanged
from holdfast.events.queries import WaitForRun
from holdfast.events.run import RunStatus
from holdfast.kernel.clock import utc_now
from holdfast.kernel.errors import UnavailableError
from holdfast.kernel.ids import new_id
from support.catalog import Clock
from support.runs import claimed, protected_app, run_ended, run_of, snapshot_made, started
from support.servers import PostgresServer

pytestmark = pytest.mark.postgres


def changed(clock: Clock) -> PolicyChanged:
    return PolicyChanged(
        event_id=new_id(), occurred_at=clock(), policy_id=new_id(), change=Change.UPDATED
    )


async def add(deps: Deps, *events: Event) -> None:
    async with transaction(deps.pool) as connection:
        await outbox.add(connection, *events)


async def waiting(deps: Deps) -> int:
    count: int = await deps.pool.fetchval("select count(*) from outbox")
    return count


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_events_go_out_in_order_and_once(deps: Deps, clock: Clock) -> None:
    bus, events = RecordingBus(), [changed(clock) for _ in range(5)]
    await add(deps, *events[:3])
    await add(deps, *events[3:])
    relay = Relay(deps.pool, bus, deps.wake)

    assert await relay.publish_batch() == 5
    assert await relay.publish_batch() == 0

    assert bus.published == events
    assert await waiting(deps) == 0


async def test_what_was_rolled_back_is_never_said(deps: Deps, clock: Clock) -> None:
    bus = RecordingBus()

    async def break_off() -> None:
        async with transaction(deps.pool) as connection:
            await outbox.add(connection, changed(clock))
            raise LookupError

    with pytest.raises(LookupError):
        await break_off()

    assert await Relay(deps.pool, bus, deps.wake).publish_batch() == 0


async def test_what_the_bus_did_not_take_waits_for_it_in_order(deps: Deps, clock: Clock) -> None:
    events = [changed(clock) for _ in range(4)]
    await add(deps, *events)

    class Failing(RecordingBus):
        async def publish(self, event: Event) -> None:
            if len(self.published) == 2 and self.connected:
                self.connected = False
                raise UnavailableError
            self.connected = True
            await super().publish(event)

    bus = Failing()
    relay = Relay(deps.pool, bus, deps.wake)
    with pytest.raises(UnavailableError):
        await relay.publish_batch()

    assert await waiting(deps) == 2
    await relay.publish_batch()
    assert bus.published == events


async def test_two_relays_say_nothing_twice(deps: Deps, clock: Clock) -> None:
    bus, events = RecordingBus(), [changed(clock) for _ in range(50)]
    await add(deps, *events)
    relays = [Relay(deps.pool, bus, deps.wake) for _ in range(4)]

    await asyncio.gather(*(relay.publish_batch() for relay in relays))

    assert sorted(one.event_id for one in bus.published) == sorted(e.event_id for e in events)


async def test_a_commit_wakes_the_relay_and_a_bus_that_is_back_gets_what_waited(
    deps: Deps, clock: Clock
) -> None:
    bus, stop = RecordingBus(), asyncio.Event()
    bus.connected = False
    dsn = deps.settings.postgres_dsn
    wakes = {outbox.CHANNEL: lambda _: deps.wake.set()}
    loops = [
        asyncio.create_task(Relay(deps.pool, bus, deps.wake).run(stop)),
        asyncio.create_task(listen(dsn, wakes, deps.wake.set, stop)),
    ]
    events = [changed(clock) for _ in range(3)]

    await add(deps, *events[:2])
    bus.connected = True
    await until(lambda: len(bus.published) == 2)
    await add(deps, events[2])
    await until(lambda: len(bus.published) == 3)

    assert bus.published == events
    stop.set()
    await asyncio.gather(*loops)


async def kept_running(relay: Relay, stop: asyncio.Event) -> None:
    """As the runtime does it: a loop that raises is started again.

    Which error asyncpg raises depends on what it was doing when the connection went.
    """
    while not stop.is_set():
        with suppress(asyncpg.InterfaceError, asyncpg.InternalClientError):
            await relay.run(stop)


async def test_the_relay_and_the_ear_survive_the_loss_of_their_connections(
    deps: Deps, clock: Clock
) -> None:
    bus, stop = RecordingBus(), asyncio.Event()
    gaps: list[str] = []
    heard: list[str] = []
    ear = asyncio.create_task(
        listen(
            deps.settings.postgres_dsn,
            {outbox.CHANNEL: heard.append},
            lambda: gaps.append("gap"),
            stop,
        )
    )
    relay = asyncio.create_task(kept_running(Relay(deps.pool, bus, deps.wake), stop))
    await until(lambda: gaps)

    async with deps.pool.acquire() as connection:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
    await until(lambda: len(gaps) == 2)
    await add(deps, changed(clock))
    await until(lambda: heard and bus.published)

    assert not relay.done()
    stop.set()
    await asyncio.gather(ear, relay)


async def test_a_server_that_is_gone_for_a_while_is_only_unavailable(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "postgres")
    server.start()
    pool = await open_pool(server.new_database())
    try:
        server.stop()
        for _ in range(2):  # the connection that broke, then one that cannot be made
            with pytest.raises(UnavailableError):
                async with transaction(pool) as connection:
                    await connection.fetchval("select 1")
    finally:
        pool.terminate()


@pytest.mark.nats
async def test_the_stream_has_each_event_once_though_it_was_published_twice(
    deps: Deps, clock: Clock, nats_url: str
) -> None:
    bus = await Bus.open(nats_url, "catalog")
    run = await started(deps, await protected_app(deps))
    rows = await waiting(deps)
    relay = Relay(deps.pool, bus, deps.wake)
    async with transaction(deps.pool) as connection:
        before = [each.event for each in await outbox.take(connection, 1000)]

    assert await relay.publish_batch() == rows
    await add(deps, *before)  # as if we had died between the stream's word and the commit
    assert await relay.publish_batch() == rows

    facts = await bus.context.stream_info("FACTS")
    work = await bus.context.stream_info("WORK")
    kinds = [event.STREAM.value for event in before]
    assert facts.state.messages == kinds.count("FACTS")
    assert work.state.messages == kinds.count("WORK")
    job = await bus.next_job("main", 5)
    while job is not None and job.work.run_id != run.id:
        await job.done()
        job = await bus.next_job("main", 5)
    assert job is not None
    await bus.close()


# ---- the keeper


async def test_work_whose_message_is_lost_is_queued_again(deps: Deps, clock: Clock) -> None:
    run = await started(deps, await protected_app(deps))
    bus, keeper = RecordingBus(), Keeper(deps)
    relay = Relay(deps.pool, bus, deps.wake)
    await relay.publish_batch()
    (first,) = [each for each in bus.published if getattr(each, "run_id", None) == run.id]

    clock.advance(seconds=SILENCE.total_seconds() - 1)
    await keeper.sweep()
    assert await waiting(deps) == 0
    clock.advance(seconds=2)
    await keeper.sweep()
    await relay.publish_batch()

    again = bus.published[-1]
    assert again.subject == first.subject
    assert again.event_id != first.event_id  # the old one would be dropped as a repeat


async def test_a_run_whose_executor_is_alive_is_left_alone(deps: Deps, clock: Clock) -> None:
    run = await started(deps, await protected_app(deps))
    clock.advance(hours=1)
    await claimed(deps, run.id)
    before = await waiting(deps)

    await Keeper(deps).sweep()
    assert await waiting(deps) == before
    clock.advance(seconds=SILENCE.total_seconds() + deps.settings.claim_seconds + 1)
    await Keeper(deps).sweep()
    assert await waiting(deps) == before + 1


async def test_after_an_outage_what_the_stream_holds_is_heard_first(
    deps: Deps, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim runs out while the database is away; the word on the run's end may be waiting
    in the stream, and the run must not be done again before it is heard."""

    def away(_: object) -> None:
        raise DatabaseUnavailableError

    run = await started(deps, await protected_app(deps))
    await claimed(deps, run.id)
    keeper, before = Keeper(deps), await waiting(deps)
    clock.advance(hours=1)
    with monkeypatch.context() as patch:
        patch.setattr("holdfast.catalog.keeper.transaction", away)
        with pytest.raises(DatabaseUnavailableError):
            await keeper.step()

    clock.advance(seconds=SILENCE.total_seconds() - 1)
    await keeper.step()
    assert await waiting(deps) == before
    clock.advance(seconds=2)
    await keeper.step()
    assert await waiting(deps) == before + 1


# ---- waiting for a run


async def test_who_waits_is_told_when_the_run_ends(deps: Deps, clock: Clock) -> None:
    run = await started(deps, await protected_app(deps))
    claim = (await claimed(deps, run.id)).claim
    stop, up = asyncio.Event(), asyncio.Event()
    heard = {ENDED_CHANNEL: deps.waiter.ended}
    ear = asyncio.create_task(listen(deps.settings.postgres_dsn, heard, up.set, stop))
    await up.wait()
    waits = [
        asyncio.create_task(
            answer_wait_for_run(WaitForRun(run_id=run.id, timeout_seconds=30), deps)
        )
        for _ in range(3)
    ]

    await on_snapshot_completed(snapshot_made(run, claim, clock()), deps)
    await on_run_completed(run_ended(run, claim, clock()), deps)
    async with asyncio.timeout(10):
        views = await asyncio.gather(*waits)

    assert {view.status for view in views} == {RunStatus.SUCCESS}
    stop.set()
    await ear


async def test_who_waits_too_long_gets_it_as_it_stands(deps: Deps) -> None:
    run = await started(deps, await protected_app(deps))
    ticking = Deps(**{**deps.__dict__, "now": utc_now})

    view = await answer_wait_for_run(WaitForRun(run_id=run.id, timeout_seconds=0.05), ticking)

    assert view == await run_of(deps, run.id)
