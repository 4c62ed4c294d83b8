"""The event stream: framing, places, filters, keep-alive, and its end."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from holdfast.bus.testing import RecordingBus
from holdfast.events.base import Event
from holdfast.events.due import PruneDue
from holdfast.events.run import Operation, RunCompleted, RunProgress, RunStatus
from holdfast.gateway.event_stream import EventStream, frame
from holdfast.kernel.errors import UnavailableError
from support.gateway import ID, RUN_ID, WHEN, GatewayHouse

EVERYTHING: frozenset[str] = frozenset()


def completed() -> RunCompleted:
    return RunCompleted(
        event_id=ID,
        occurred_at=WHEN,
        run_id=RUN_ID,
        claim=1,
        operation=Operation.BACKUP,
        status=RunStatus.SUCCESS,
        started_at=WHEN,
        app_name="two\nlines",
    )


def due() -> PruneDue:
    return PruneDue(event_id=ID, occurred_at=WHEN, destination_id=ID, scheduled_for=WHEN)


def progress() -> RunProgress:
    return RunProgress(
        event_id=ID, occurred_at=WHEN, run_id=RUN_ID, operation=Operation.BACKUP, fraction=0.5
    )


def fields_of(piece: bytes) -> dict[str, str]:
    """A frame's fields, read as a browser reads them."""
    assert piece.endswith(b"\n\n")
    lines = piece.decode().strip().split("\n")
    return dict(line.split(": ", 1) for line in lines)


class Watched:
    """A stream over a bus that only remembers."""

    def __init__(self, keep_alive_seconds: float = 15.0) -> None:
        self.bus = RecordingBus()
        self.stopping = asyncio.Event()
        self.stream = EventStream(self.bus, self.stopping, keep_alive_seconds)

    async def open(
        self, after: int | None = None, types: frozenset[str] = EVERYTHING
    ) -> AsyncGenerator[bytes, None]:
        """The frames after the greeting."""
        frames = await self.stream.open(after, types)
        assert b": connected\n\n" in await anext(frames)
        return frames

    def say(self, sequence: int, event: Event) -> None:
        self.bus.stream.put_nowait((sequence, event))


def test_a_fact_has_its_place_its_type_and_a_cloud_event_in_one_line() -> None:
    fields = fields_of(frame(completed(), 7))

    assert set(fields) == {"id", "event", "data"}
    assert (fields["id"], fields["event"]) == ("7", "run.completed")
    data = json.loads(fields["data"])
    assert data["specversion"] == "1.0"
    assert data["id"] == str(ID)
    assert data["type"] == "run.completed"
    assert data["time"] == "2026-03-01T02:00:00Z"
    assert data["datacontenttype"] == "application/json"
    assert data["source"]
    assert data["data"]["run_id"] == str(RUN_ID)
    assert data["data"]["app_name"] == "two\nlines"


def test_progress_has_no_place() -> None:
    assert "id" not in fields_of(frame(progress()))


async def test_facts_and_progress_both_come() -> None:
    watched = Watched()
    frames = await watched.open()

    watched.say(1, due())
    first = fields_of(await anext(frames))
    await watched.bus.publish(progress())
    second = fields_of(await anext(frames))
    await frames.aclose()

    assert (first["event"], second["event"]) == ("prune.due", "run.progress")


async def test_after_a_place_only_later_facts_come() -> None:
    watched = Watched()
    watched.say(5, due())
    watched.say(6, completed())
    frames = await watched.open(after=5)

    piece = fields_of(await anext(frames))
    await frames.aclose()

    assert piece["id"] == "6"


async def test_a_filter_leaves_out_other_types_and_progress() -> None:
    watched = Watched()
    frames = await watched.open(types=frozenset({"run.completed"}))

    await watched.bus.publish(progress())
    watched.say(1, due())
    watched.say(2, completed())
    piece = fields_of(await anext(frames))
    await frames.aclose()

    assert piece["id"] == "2"


async def test_silence_is_broken_by_a_comment() -> None:
    watched = Watched(keep_alive_seconds=0.01)
    frames = await watched.open()

    piece = await anext(frames)
    await frames.aclose()

    assert piece == b": keep-alive\n\n"


async def test_it_ends_when_the_process_is_to_stop() -> None:
    watched = Watched()
    frames = await watched.open()
    rest = asyncio.create_task(anext(frames, b"ended"))

    watched.stopping.set()

    assert await asyncio.wait_for(rest, 2) == b"ended"


async def test_a_client_that_goes_leaves_nothing_running() -> None:
    before = asyncio.all_tasks()
    watched = Watched()
    frames = await watched.open()
    waiting = asyncio.create_task(anext(frames))  # type: ignore[arg-type]  # anext's stub wants a coroutine
    watched.say(1, due())
    await waiting

    await frames.aclose()
    left = asyncio.all_tasks() - before - {waiting}
    await asyncio.wait_for(asyncio.gather(*left, return_exceptions=True), 2)

    assert asyncio.all_tasks() == before


class BreakingBus(RecordingBus):
    """Its first subscription breaks after one fact; it remembers where each began."""

    def __init__(self) -> None:
        super().__init__()
        self.began: list[int | None] = []

    async def facts(self, after_sequence: int | None) -> Any:
        self.began.append(after_sequence)
        async for each in super().facts(after_sequence):
            yield each
            if len(self.began) == 1:
                raise ConnectionError("the server went away")


async def test_a_bus_that_breaks_off_is_taken_up_after_the_last_fact(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("holdfast.gateway.event_stream.RESUME_SECONDS", 0.0)
    watched = Watched()
    watched.bus = BreakingBus()
    watched.stream = EventStream(watched.bus, watched.stopping)
    watched.say(1, due())
    watched.say(2, completed())
    frames = await watched.open(types=frozenset({"prune.due", "run.completed"}))

    places = [fields_of(await anext(frames))["id"] for _ in range(2)]
    await frames.aclose()

    assert places == ["1", "2"]
    assert watched.bus.began == [0, 1]


async def test_without_the_bus_it_does_not_begin() -> None:
    watched = Watched()
    watched.bus.connected = False

    with pytest.raises(UnavailableError):
        await watched.stream.open(None, EVERYTHING)


@pytest.mark.parametrize("path", ["/events", "/api/v1/events"])
async def test_over_http_it_is_an_uncached_event_stream(path: str, house: GatewayHouse) -> None:
    house.stopping.set()  # so that it ends at once

    async with house.client() as client:
        response = await client.get(path, headers={"Last-Event-ID": "3"})

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    assert response.text.startswith("retry: 2000\n: connected\n\n")


async def test_a_type_that_there_is_not_is_400(house: GatewayHouse) -> None:
    async with house.client() as client:
        response = await client.get("/events?types=run.completed,run.finished")

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "types"
    assert "run.finished" in response.json()["detail"]


async def test_work_for_executors_cannot_be_followed(house: GatewayHouse) -> None:
    async with house.client() as client:
        response = await client.get("/events?types=backup.requested")

    assert response.status_code == 400


@pytest.mark.parametrize("place", ["x", "-1", "1.5", str(2**63)])
async def test_a_place_that_is_no_number_is_400(place: str, house: GatewayHouse) -> None:
    async with house.client() as client:
        response = await client.get("/events", headers={"Last-Event-ID": place})

    assert response.status_code == 400
