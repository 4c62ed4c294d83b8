"""An event that can never be sent is in the way of no other."""

from collections.abc import AsyncIterator

import pytest

from holdfast.bus import Bus
from holdfast.bus.testing import RecordingBus
from holdfast.catalog.answers.status import answer_get_status
from holdfast.catalog.deps import Deps
from holdfast.catalog.keeper import Keeper
from holdfast.catalog.relay import Relay
from holdfast.catalog.store import outbox, runs
from holdfast.catalog.store.pool import transaction
from holdfast.events.queries import GetStatus
from holdfast.events.run import RunStatus
from holdfast.kernel.ids import new_id
from holdfast.telemetry.metrics import EVENTS_SET_ASIDE
from support.catalog import Clock
from support.runs import protected_app, run_of, started

pytestmark = pytest.mark.postgres


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    bus = await Bus.open(nats_url, "test")
    yield bus
    await bus.close()


def counted(type_: str) -> float:
    return EVENTS_SET_ASIDE.labels(type_)._value.get()


async def reasons(deps: Deps) -> list[str]:
    rows = await deps.pool.fetch("select set_aside_reason from outbox order by id")
    return [row["set_aside_reason"] for row in rows]


async def from_a_newer_release(deps: Deps, type_: str, payload: bytes) -> None:
    async with transaction(deps.pool) as connection:
        await connection.execute(outbox.SQL["add_event"], new_id(), type_, payload)


@pytest.mark.parametrize(
    ("type_", "payload", "reason"),
    [
        ("moon.rose", b"{}", "knows no event of type 'moon.rose'"),
        ("backup.due", b'{"odd": 1}', "does not read"),
        ("backup.due", b"{", "does not read"),
    ],
)
async def test_what_this_release_cannot_read_lets_the_rest_go_on(
    deps: Deps, clock: Clock, type_: str, payload: bytes, reason: str
) -> None:
    bus, before = RecordingBus(), counted(type_)
    relay = Relay(deps.pool, bus, deps.wake, clock)
    await from_a_newer_release(deps, type_, payload)
    run = await started(deps, await protected_app(deps))

    await relay.publish_batch()
    await relay.publish_batch()

    assert "backup.requested" in [each.TYPE for each in bus.published]
    assert (await run_of(deps, run.id)).status is RunStatus.IN_PROGRESS
    (told,) = await reasons(deps)
    assert reason in told
    assert counted(type_) == before + 1
    assert (await answer_get_status(GetStatus(), deps)).events_set_aside == 1


@pytest.mark.nats
async def test_work_that_the_bus_cannot_take_fails_its_run_and_the_rest_go_on(
    deps: Deps, clock: Clock, bus: Bus
) -> None:
    first = await started(deps, await protected_app(deps, name="huge"))
    second = await started(deps, await protected_app(deps, name="small"))
    await deps.pool.execute("delete from outbox")
    async with transaction(deps.pool) as connection:
        for run_id, paths in (first.id, ["/" + "x" * bus.client.max_payload]), (second.id, ["/x"]):
            row = await runs.lock(connection, run_id)
            assert row is not None
            await outbox.add_work(connection, row.work_type, {**row.work, "paths": paths})

    await Relay(deps.pool, bus, deps.wake, clock).publish_batch()

    ended = await run_of(deps, first.id)
    assert ended.status is RunStatus.FAILED
    assert ended.failure is not None
    assert ended.failure.code == "work_not_sent"
    assert "at most" in ended.failure.detail
    assert bus.connected
    job = await bus.next_job("main", 5)
    assert job is not None
    assert job.work.run_id == second.id
    assert len([each for each in await reasons(deps) if each]) == 1


async def test_a_run_of_a_newer_release_fails_with_a_sentence_and_holds_up_no_other(
    deps: Deps, clock: Clock
) -> None:
    bus = RecordingBus()
    relay, keeper = Relay(deps.pool, bus, deps.wake, clock), Keeper(deps)
    run = await started(deps, await protected_app(deps))
    await deps.pool.execute("delete from outbox")
    await deps.pool.execute(
        "update run set work_type = 'moon.requested', status = 'queued' where id = $1", run.id
    )

    other = await started(deps, await protected_app(deps, name="other"))  # admits them both
    await keeper.step()
    await relay.publish_batch()

    ended = await run_of(deps, run.id)
    assert ended.status is RunStatus.FAILED
    assert ended.failure is not None
    assert "moon.requested" in ended.failure.detail
    assert (await run_of(deps, other.id)).status is RunStatus.IN_PROGRESS
    await relay.publish_batch()
    assert [each.run_id for each in bus.published if each.TYPE == "run.completed"] == [run.id]  # type: ignore[attr-defined]  # told by its type


async def test_a_silent_run_of_a_newer_release_does_not_stop_the_sweep(
    deps: Deps, clock: Clock
) -> None:
    relay, keeper = Relay(deps.pool, RecordingBus(), deps.wake, clock), Keeper(deps)
    run = await started(deps, await protected_app(deps))
    await deps.pool.execute("delete from outbox")
    await deps.pool.execute("update run set work_type = 'moon.requested' where id = $1", run.id)
    clock.advance(minutes=5)

    await keeper.sweep()
    await relay.publish_batch()

    assert (await run_of(deps, run.id)).status is RunStatus.FAILED
