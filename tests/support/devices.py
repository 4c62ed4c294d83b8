"""Connections to devices, and what still runs for a run."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh

from support.sshd import Sshd


@asynccontextmanager
async def connected(sshd: Sshd) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """As the tests' user."""
    async with asyncssh.connect(
        "127.0.0.1",
        sshd.port,
        username=sshd.user,
        client_keys=[sshd.key],
        known_hosts=([asyncssh.import_public_key(sshd.host_key)], [], []),
        config=[],
        agent_path=None,
    ) as connection:
        yield connection


def cut(sshd: Sshd) -> None:
    """Every connection, without a word; the server stays."""
    for pid in sshd.sessions():
        with contextlib.suppress(OSError):
            if b"sshd" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)


def marked(run_id: str) -> list[int]:
    """Processes that carry the run's mark."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and run_id.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


async def something_marked(run_id: str) -> None:
    """A program that sshd has agreed to start is not there at once."""
    async with asyncio.timeout(20):
        while not marked(run_id):
            await asyncio.sleep(0.01)


async def nothing_marked(run_id: str) -> None:
    async with asyncio.timeout(20):
        while marked(run_id):
            await asyncio.sleep(0.02)
