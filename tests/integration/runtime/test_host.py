"""A process's loops: each goes on for as long as the process does."""

import asyncio
from pathlib import Path

import pytest

from holdfast.bus import Bus
from holdfast.runtime import Runtime, Service
from holdfast.runtime.host import Host
from holdfast.settings import Settings

pytestmark = pytest.mark.nats


@pytest.mark.parametrize("trouble", [None, RuntimeError("odd")], ids=["it ends", "it raises"])
async def test_a_loop_that_ends_too_early_is_started_again(
    trouble: Exception | None, nats_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.runtime.host.RESTART_SECONDS", 0.01)
    starts, again = [0], asyncio.Event()

    async def loop(stop: asyncio.Event) -> None:
        starts[0] += 1
        if starts[0] > 1:
            again.set()
            await stop.wait()
        elif trouble is not None:
            raise trouble

    async def build(_: Runtime) -> Service:
        return Service(name="short", runs=[loop])

    bus = await Bus.open(nats_url, "test")
    settings = Settings(data=tmp_path, postgres_dsn="", nats_url=nats_url)
    host = Host(Runtime(settings=settings, bus=bus), nats_url, "test")
    try:
        await host.start([build])
        async with asyncio.timeout(10):
            await again.wait()
    finally:
        await host.stop()
        await bus.close()

    assert starts == [2]
