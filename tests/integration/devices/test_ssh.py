"""A link to a device that breaks: the program there ends, and is told apart from one that fails."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from holdfast.devices.base import DeviceLostError, Program
from holdfast.devices.facts import DeviceFacts, facts_of
from holdfast.devices.programs import DeviceFullError, OtherProcessorError, placed
from holdfast.devices.ssh import SshRunner
from holdfast.kernel.clock import utc_now
from holdfast.kernel.secret import Secret
from holdfast.restic import Repository, Restic, S3Access
from holdfast.restic.commands import backup, init, restore
from support.devices import connected, marked, nothing_marked
from support.servers import RcloneS3
from support.sshd import Sshd


@pytest.fixture
def device(own_sshd: Sshd) -> Sshd:
    return own_sshd.start()


def endless(run_id: str, left: Path) -> Program:
    """Something that cleans up when it is asked to end, as restic takes its lock away."""
    script = f"touch {left}; trap 'rm {left}; exit 1' TERM; echo ready; while :; do sleep 0.1; done"
    return Program(argv=("sh", "-c", script), run_id=run_id)


async def test_a_cut_link_ends_the_program_in_order_and_is_no_exit_code(
    device: Sshd, tmp_path: Path
) -> None:
    run_id, left = uuid4().hex, tmp_path / "lock"
    async with (
        connected(device) as connection,
        SshRunner(connection).start(endless(run_id, left)) as process,
    ):
        assert await anext(process.lines()) == b"ready"

        for pid in device.sessions():
            with suppress(OSError):
                if b"sshd" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)

        with pytest.raises(DeviceLostError):
            await process.wait()
        await nothing_marked(run_id)
    assert not left.exists()


async def test_silence_ends_the_program_though_the_link_seems_to_be_there(
    device: Sshd, tmp_path: Path
) -> None:
    """As when the network is gone and no end of the line ever comes."""
    run_id, left = uuid4().hex, tmp_path / "lock"
    async with connected(device) as connection:
        runner = SshRunner(connection, silence_seconds=1)  # the first sign would come later
        async with runner.start(endless(run_id, left)) as process:
            assert await anext(process.lines()) == b"ready"
            assert left.exists()

            async with asyncio.timeout(20):
                while left.exists():
                    await asyncio.sleep(0.02)
            await nothing_marked(run_id)
            assert await process.wait() == 1


async def test_nothing_is_left_when_we_are_cancelled(device: Sshd, tmp_path: Path) -> None:
    run_id, left = uuid4().hex, tmp_path / "lock"

    async def work() -> None:
        async with (
            connected(device) as connection,
            SshRunner(connection).start(endless(run_id, left)) as process,
        ):
            await process.wait()

    task = asyncio.create_task(work())
    async with asyncio.timeout(20):
        while not (marked(run_id) and left.exists()):
            await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert marked(run_id) == []
    assert not left.exists()


async def test_a_connection_that_is_closed_starts_nothing(device: Sshd) -> None:
    async with connected(device) as connection:
        connection.abort()
        with pytest.raises(DeviceLostError):
            async with SshRunner(connection).start(Program(argv=("true",))):
                pass


@pytest.fixture
async def facts(device: Sshd, tmp_path: Path) -> DeviceFacts:
    """The device's, with a cache that is this test's own."""
    async with connected(device) as connection:
        found = await facts_of(SshRunner(connection), utc_now, program="restic")
    return msgspec.structs.replace(found, cache=str(tmp_path / "it's a cache"))


async def test_our_restic_is_put_there_once_and_again_when_it_is_another(
    device: Sshd, facts: DeviceFacts, restic_path: Path
) -> None:
    async with connected(device) as connection:
        runner = SshRunner(connection)
        path = Path(await placed(connection, runner, facts, restic_path))
        first = path.stat()
        assert Path(await placed(connection, runner, facts, restic_path)) == path
        assert path.stat().st_mtime_ns == first.st_mtime_ns

        path.write_bytes(b"#!/bin/sh\necho evil\n")
        assert Path(await placed(connection, runner, facts, restic_path)) == path

        async with runner.start(Program(argv=(str(path), "version"))) as process:
            told = [line async for line in process.lines()]
    assert told[0].startswith(b"restic ")
    assert path.stat().st_mode & 0o777 == 0o700
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [each.name for each in path.parent.iterdir()] == [path.name]


async def test_another_processor_and_a_full_disk_are_told(
    device: Sshd, facts: DeviceFacts, restic_path: Path
) -> None:
    other = msgspec.structs.replace(facts, machine="riscv64")
    full = msgspec.structs.replace(facts, free_bytes=1024)
    async with connected(device) as connection:
        for strange, error in ((other, OtherProcessorError), (full, DeviceFullError)):
            with pytest.raises(error):
                await placed(connection, SshRunner(connection), strange, restic_path)
    assert not Path(facts.cache).exists()


async def test_restic_there_backs_up_and_restores_with_its_secrets_in_memory(
    device: Sshd, facts: DeviceFacts, restic_path: Path, s3_server: RcloneS3, tmp_path: Path
) -> None:
    bucket = f"device-{uuid4().hex[:8]}"
    s3_server.make_bucket(bucket)
    repository = Repository(
        url=f"s3:{s3_server.endpoint}/{bucket}",
        password=Secret("a pass\\word with %s and\ttab"),
        s3=S3Access(
            access_key=Secret(s3_server.access_key),
            secret_key=Secret(s3_server.secret_key),
            region="us-east-1",
        ),
    )
    data = tmp_path / "it's data"
    data.mkdir()
    (data / "line\nbreak").write_bytes(os.urandom(100_000))

    async with connected(device) as connection:
        runner = SshRunner(connection)
        restic = Restic(await placed(connection, runner, facts, restic_path), runner, repository)
        await init.run(restic)
        made = await backup.run(restic, backup.BackupOptions(paths=(str(data),)))
        await restore.run(
            restic,
            restore.RestoreOptions(snapshot=made.snapshot_id, target=str(tmp_path / "back")),
        )

    back = tmp_path / "back" / str(data).lstrip("/")
    assert (back / "line\nbreak").read_bytes() == (data / "line\nbreak").read_bytes()
