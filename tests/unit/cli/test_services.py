"""Running services in a process."""

import asyncio
import socket
from pathlib import Path

from holdfast.cli.services import run_services
from holdfast.settings import Settings


async def test_it_can_be_stopped_while_the_bus_is_away(tmp_path: Path) -> None:
    stop = asyncio.Event()
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # nobody listens there
        port = deaf.getsockname()[1]
        settings = Settings(data=tmp_path, nats_url=f"nats://127.0.0.1:{port}")
        running = asyncio.create_task(run_services(["notifier"], settings, stop, print))
        waited, _ = await asyncio.wait([running], timeout=0.1)
        stop.set()

        await asyncio.wait_for(running, 10)

    assert not waited
