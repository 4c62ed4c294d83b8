"""The gateway as a service: real HTTP, a real NATS server; the catalog is a few answers."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.bus import Bus
from holdfast.embedded.nats import EmbeddedNats
from holdfast.events import queries as q
from holdfast.events.due import PruneDue
from holdfast.events.run import Operation, RunProgress, RunStatus
from holdfast.gateway import service as gateway
from holdfast.kernel.errors import UnauthorizedError
from holdfast.kernel.ids import new_id
from holdfast.runtime import Runtime, Service, answer
from holdfast.runtime.host import Host
from holdfast.secretbox.tokens import token_hash
from holdfast.settings import Settings
from support.gateway import ID, RUN_ID, TOKEN, WHEN, accepted, app, run

pytestmark = pytest.mark.nats

IDENTITY = q.Identity(instance_id=ID, public_key=b"")


async def catalog(runtime: Runtime) -> Service:
    """Answers just enough."""

    async def verify(query: q.VerifyToken, _: None) -> q.Principal:
        if query.token_hash != token_hash(TOKEN):
            raise UnauthorizedError
        return q.Principal(name="admin")

    async def identity(_: q.GetIdentity, __: None) -> q.Identity:
        return IDENTITY

    async def apps(_: q.ListApps, __: None) -> Any:
        return (app(),)

    async def restore(_: q.RestoreSnapshot, __: None) -> Any:
        return accepted()

    async def wait(_: q.WaitForRun, __: None) -> Any:
        await runtime.stopping.wait()
        return run(RunStatus.IN_PROGRESS)

    return Service(
        name="catalog",
        answers=[
            answer(q.VerifyToken, verify, None),
            answer(q.GetIdentity, identity, None),
            answer(q.ListApps, apps, None),
            answer(q.RestoreSnapshot, restore, None),
            answer(q.WaitForRun, wait, None),
        ],
    )


class Served:
    """A gateway that serves, and what a test needs to play with it."""

    def __init__(self, nats: EmbeddedNats, data: Path) -> None:
        self.nats = nats
        self.settings = Settings(data=data, listen="127.0.0.1:0", nats_url=nats.url)
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Served"]:
        self.runtime = Runtime(
            settings=self.settings, bus=await Bus.open(self.settings.nats_url, "test")
        )
        self.bus = self.runtime.bus
        self.host = Host(self.runtime, self.settings.nats_url, "test")
        await self.host.start([catalog, gateway.build])
        self.url = await asyncio.wait_for(self.runtime.listening, 10)
        try:
            yield self
        finally:
            if not self.runtime.stopping.is_set():
                await self.host.stop()
            await self.bus.close()

    def client(self, token: str = TOKEN) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(20),
            trust_env=False,
        )


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    nats = EmbeddedNats(tmp_path / "nats")
    await nats.start()
    async with Served(nats, tmp_path / "data").running() as served:
        yield served
    await nats.stop()


def due() -> PruneDue:
    return PruneDue(event_id=new_id(), occurred_at=WHEN, destination_id=ID, scheduled_for=WHEN)


class Follower:
    """Reads an event stream as a browser does."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self) -> dict[str, str]:
        """The next event's fields; comments are passed over."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(20):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if not line and "event" in fields:
                    return fields
                if name:
                    fields[name] = value
        raise AssertionError("the stream ended")

    async def rest(self) -> list[str]:
        """What comes until the server ends the stream."""
        return [line async for line in self._lines]


@asynccontextmanager
async def following(
    client: httpx.AsyncClient, after: int | None = None, types: str = ""
) -> AsyncIterator[Follower]:
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    async with client.stream("GET", f"/api/v1/events?types={types}", headers=headers) as response:
        assert response.status_code == 200
        yield Follower(response)


async def test_the_address_that_is_told_answers(served: Served) -> None:
    async with served.client() as client:
        apps = await client.get("/api/v1/apps")
        ready = await client.get("/ready")

    assert apps.json()["apps"][0]["name"] == "photos"
    assert ready.status_code == 200


async def test_a_wrong_token_is_refused(served: Served) -> None:
    async with served.client(token="wrong") as client:
        response = await client.get("/api/v1/apps")

    assert (response.status_code, response.json()["code"]) == (401, "unauthorized")


async def test_a_client_that_comes_back_misses_no_fact(served: Served) -> None:
    facts = [due() for _ in range(5)]
    for fact in facts:
        await served.bus.publish(fact)

    async with served.client() as client, following(client, after=2) as events:
        got = [await events.next() for _ in range(3)]
        await served.bus.publish(facts[0])  # a repeat, which the stream drops
        last = due()
        await served.bus.publish(last)
        got.append(await events.next())

    assert [each["id"] for each in got] == ["3", "4", "5", "6"]
    assert [json.loads(each["data"])["id"] for each in got] == [
        str(each.event_id) for each in [*facts[2:], last]
    ]


async def test_progress_comes_while_it_is_said(served: Served) -> None:
    said = RunProgress(
        event_id=ID, occurred_at=WHEN, run_id=RUN_ID, operation=Operation.BACKUP, fraction=0.5
    )

    async with served.client() as client, following(client, types="run.progress") as events:
        first = asyncio.create_task(events.next())
        while not first.done():  # until the subscription stands, nobody hears it
            await served.bus.publish(said)
            await asyncio.wait([first], timeout=0.05)

    assert "id" not in first.result()
    assert json.loads(first.result()["data"])["data"]["fraction"] == 0.5


async def test_a_follower_does_not_hold_up_the_end(served: Served) -> None:
    await served.bus.publish(due())

    async with served.client() as client, following(client, after=0) as events:
        await events.next()
        start = time.monotonic()
        await served.host.stop()
        rest = await asyncio.wait_for(events.rest(), 5)

    assert time.monotonic() - start < 3
    assert not [line for line in rest if line.startswith("event")]


async def test_one_who_waits_for_a_restore_does_not_hold_up_the_end(served: Served) -> None:
    body = {"target_device_id": str(ID), "target_path": "/srv/restore"}

    async with served.client() as client:
        waiting = asyncio.create_task(
            client.post(f"/api/v1/backup/snapshots/{ID}/restore?wait=true", json=body)
        )
        await asyncio.wait([waiting], timeout=0.3)
        start = time.monotonic()
        await served.host.stop()
        response = await waiting

    assert time.monotonic() - start < 3
    assert response.status_code in {202, 504}
    assert response.json()["run_id"] == str(RUN_ID)


async def test_a_client_without_a_place_misses_nothing_of_a_restart(served: Served) -> None:
    await served.bus.publish(due())  # before its time
    said = due()
    async with served.client() as client, following(client) as events:
        await served.nats.stop()
        # The server is back, and another has spoken, before the gateway knows of either.
        await served.nats.start()
        other = await Bus.open(served.settings.nats_url, "other")
        await other.publish(said)
        await other.close()

        heard = await events.next()

    assert heard["id"] == "2"
    assert json.loads(heard["data"])["id"] == str(said.event_id)


async def test_without_nats_requests_fail_soon_and_followers_go_on_after_it_is_back(
    served: Served,
) -> None:
    first, second = due(), due()
    await served.bus.publish(first)

    async with served.client() as client, following(client, after=0) as events:
        before = await events.next()
        await served.nats.stop()
        start = time.monotonic()
        away = await client.get("/api/v1/apps")
        took = time.monotonic() - start
        await served.nats.start()
        async with asyncio.timeout(20):
            while not served.bus.connected:
                await asyncio.sleep(0.05)
        await served.bus.publish(second)
        after = await events.next()

    assert (away.status_code, away.json()["code"]) == (503, "unavailable")
    assert took < 2
    assert [before["id"], after["id"]] == ["1", "2"]
    assert json.loads(after["data"])["id"] == str(second.event_id)
