"""NATS and Postgres as children: they serve, they keep what they have, they end with us."""

import asyncio
import errno
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import nats
import pytest

from holdfast.embedded.nats import EmbeddedNats
from holdfast.embedded.postgres import SOCKET_NAME, SOCKET_PATH_LIMIT, EmbeddedPostgres
from holdfast.embedded.process import Child, ServerStartError, Supervised
from holdfast.embedded.user import NOBODY

SERVERS = """
import asyncio, sys
from pathlib import Path
from holdfast.embedded.nats import EmbeddedNats
from holdfast.embedded.postgres import EmbeddedPostgres

async def main(data):
    servers = EmbeddedNats(data / "nats"), EmbeddedPostgres(data / "postgres")
    print("starting", flush=True)
    await asyncio.gather(*(server.start() for server in servers))
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1])))
"""
"""A parent of both servers, to be killed."""


@asynccontextmanager
async def running(*servers: Supervised) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for server in servers:
            stack.push_async_callback(server.stop)
            await server.start()
        yield


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def processes_of(data: Path) -> list[int]:
    """Processes that serve *data*: those that hold one of its locks open, and not we."""
    locks = {str(data / "nats" / "lock"), str(data / "postgres" / "lock")}
    found = []
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit() or int(directory.name) == os.getpid():
            continue
        try:
            opened = {os.readlink(link) for link in (directory / "fd").iterdir()}
        except OSError:
            continue  # ended just now, or is not ours
        if opened & locks:
            found.append(int(directory.name))
    return found


async def store(url: str, payload: bytes) -> None:
    client = await nats.connect(url)
    stream = client.jetstream()
    await stream.add_stream(name="KEEP", subjects=["keep"])
    await stream.publish("keep", payload)
    await client.close()


async def stored(url: str) -> bytes | None:
    client = await nats.connect(url)
    message = await client.jetstream().get_last_msg("KEEP", "keep")
    await client.close()
    return message.data


async def execute(dsn: str, *statements: str) -> object:
    """The last statement's first value."""
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return await connection.fetchval(statements[-1])
    finally:
        await connection.close()


@pytest.mark.nats
async def test_nats_opens_only_to_its_token(tmp_path: Path) -> None:
    server = EmbeddedNats(tmp_path / "nats")

    async with running(server):
        await (await nats.connect(server.url)).close()
        port = int(server.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b'CONNECT {"verbose":false,"auth_token":"guess"}\r\nPING\r\n')
        answer = await reader.read()  # the greeting, the refusal, and the end
        writer.close()
        await writer.wait_closed()
        assert b"Authorization Violation" in answer
        assert b"PONG" not in answer

    for name in ("token", "nats.conf"):
        assert stat.S_IMODE((tmp_path / "nats" / name).stat().st_mode) == 0o600


@pytest.mark.nats
async def test_nats_keeps_its_messages_and_its_token_over_a_restart(tmp_path: Path) -> None:
    first = EmbeddedNats(tmp_path / "nats")
    async with running(first):
        await store(first.url, b"kept")

    second = EmbeddedNats(tmp_path / "nats")
    async with running(second):
        assert await stored(second.url) == b"kept"
        assert second.url.rpartition("@")[0] == first.url.rpartition("@")[0]


@pytest.mark.nats
async def test_a_server_that_dies_is_started_again_at_the_same_address(tmp_path: Path) -> None:
    server = EmbeddedNats(tmp_path / "nats")
    async with running(server):
        url, pid = server.url, server.pid
        await store(url, b"kept")

        os.kill(pid, signal.SIGKILL)
        await until(lambda: server.pid != pid)

        assert server.url == url
        assert await stored(url) == b"kept"


@pytest.mark.nats
async def test_two_nats_servers_never_share_a_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.embedded.process.LEFTOVER_SECONDS", 0.1)
    async with running(EmbeddedNats(tmp_path / "nats")):
        with pytest.raises(ServerStartError, match="still uses"):
            await EmbeddedNats(tmp_path / "nats").start()


@pytest.mark.postgres
async def test_postgres_has_checksums_and_serves_only_a_private_socket(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres")
    async with running(server):
        assert await execute(server.dsn, "show data_checksums") == "on"
        assert await execute(server.dsn, "show listen_addresses") == ""

        sockets = Path(server.dsn.rpartition("host=")[2])
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert not sockets.exists()


@pytest.mark.postgres
async def test_postgres_serves_from_a_path_too_long_for_a_socket(tmp_path: Path) -> None:
    data = tmp_path / ("long" * 20) / "postgres"
    server = EmbeddedPostgres(data)
    assert len(str(data / "run" / SOCKET_NAME)) > SOCKET_PATH_LIMIT

    async with running(server):
        dsn, pid = server.dsn, server.pid
        assert await execute(dsn, "select 1") == 1

        os.kill(pid, signal.SIGKILL)
        await until(lambda: server.pid != pid)

        # Who was given the address before finds it again there.
        assert server.dsn == dsn
        assert await execute(dsn, "select 1") == 1


@pytest.mark.postgres
async def test_a_pid_file_of_somebody_elses_number_does_not_keep_postgres_down(
    tmp_path: Path,
) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres")
    async with running(server):
        await execute(server.dsn, "create table t as select 7 as n", "select 1")
    (tmp_path / "postgres" / "cluster" / "postmaster.pid").write_text(
        f"{os.getppid()}\n{tmp_path}\n0\n5432\n\n\n"
    )

    again = EmbeddedPostgres(tmp_path / "postgres")
    async with running(again):
        assert await execute(again.dsn, "select n from t") == 7


@pytest.fixture
def without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make programs fail as they do where their system calls are forbidden."""

    def forbid(*names: str) -> None:
        programs = tmp_path / "programs"
        programs.mkdir()
        for name in names:
            (programs / name).write_text("#!/bin/sh\nexit 1\n")
            (programs / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")

    return forbid


@pytest.mark.postgres
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
async def test_root_starts_postgres_as_nobody_where_namespaces_are_forbidden(
    tmp_path: Path, without: Callable[..., None]
) -> None:
    before = EmbeddedPostgres(tmp_path / "postgres")
    async with running(before):
        await execute(before.dsn, "create table t as select 7 as n", "select 1")
    without("unshare")

    server = EmbeddedPostgres(tmp_path / "postgres")
    async with running(server):
        assert os.stat(f"/proc/{server.pid}").st_uid == NOBODY
        assert await execute(server.dsn, "select n from t") == 7

    assert (tmp_path / "postgres" / "cluster").stat().st_uid == NOBODY


@pytest.mark.postgres
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
async def test_root_with_no_way_is_told_what_to_do(
    tmp_path: Path, without: Callable[..., None]
) -> None:
    without("unshare", "setpriv")

    with pytest.raises(ServerStartError, match="HOLDFAST_POSTGRES_DSN"):
        await EmbeddedPostgres(tmp_path / "postgres").start()


@pytest.mark.nats
@pytest.mark.postgres
async def test_kill_9_of_the_parent_leaves_nothing_running_and_nothing_lost(
    tmp_path: Path,
) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVERS, tmp_path, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    await parent.stdout.readuntil(b"ready\n")
    postgres = EmbeddedPostgres(tmp_path / "postgres")
    await execute(postgres.dsn, "create table t as select 7 as n", "select 1")
    assert len(processes_of(tmp_path)) > 2

    parent.kill()
    await parent.wait()
    await until(lambda: not processes_of(tmp_path))

    async with running(EmbeddedNats(tmp_path / "nats"), postgres):
        assert await execute(postgres.dsn, "select n from t") == 7


@pytest.mark.nats
@pytest.mark.postgres
@pytest.mark.parametrize(
    "progress", ["", "nats/nats.conf", "postgres/cluster.part/base", "postgres/cluster"]
)
async def test_killed_at_any_moment_of_its_first_start_it_starts_the_next_time(
    tmp_path: Path, progress: str
) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVERS, tmp_path, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    await parent.stdout.readuntil(b"starting\n")
    await until(lambda: (tmp_path / progress).exists())
    parent.kill()
    await parent.wait()

    # At once, while those of before may still be about to end.
    server, postgres = EmbeddedNats(tmp_path / "nats"), EmbeddedPostgres(tmp_path / "postgres")
    async with running(server, postgres):
        assert await execute(postgres.dsn, "select 1") == 1
        await (await nats.connect(server.url)).close()


async def test_a_program_that_ignores_the_signal_is_made_to_end(tmp_path: Path) -> None:
    child = Child(["sh", "-c", "trap '' TERM; echo up; sleep 600 & wait; wait"], tmp_path / "log")
    await child.start()
    await until(lambda: (tmp_path / "log").read_text() == "up\n")

    await child.stop(signal.SIGTERM, seconds=0.1)

    assert not child.running


async def test_a_start_that_fails_says_what_the_log_says(tmp_path: Path) -> None:
    (tmp_path / "nats" / "jetstream").mkdir(parents=True)
    (tmp_path / "nats" / "jetstream" / "jetstream").write_text("in the way")

    with pytest.raises(ServerStartError) as caught:
        await EmbeddedNats(tmp_path / "nats").start()

    assert "jetstream" in caught.value.detail.lower()


class Unlucky(Supervised):
    """A program whose second start finds the disk full."""

    def __init__(self, log: Path) -> None:
        super().__init__("unlucky")
        self.launches = 0
        self._log = log

    async def launch(self) -> Child:
        self.launches += 1
        if self.launches == 2:
            raise OSError(errno.ENOSPC, "no room")
        child = Child(["sleep", "600"], self._log)
        await child.start()
        return child

    async def end(self, child: Child) -> None:
        await child.stop(signal.SIGKILL)


async def test_a_server_is_tried_again_when_it_could_not_even_be_set_up(tmp_path: Path) -> None:
    server = Unlucky(tmp_path / "log")

    async with running(server):
        os.kill(server.pid, signal.SIGKILL)
        await until(lambda: server.launches == 3)
