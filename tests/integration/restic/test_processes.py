"""Programs that are ended, killed or left behind."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from holdfast.devices.base import Program, ProgramNotFoundError
from holdfast.devices.local import LocalProcess, LocalRunner, end_leftovers
from holdfast.kernel.secret import Secret
from holdfast.restic import Restic, errors
from holdfast.restic.commands import backup, locks, prune, snapshots, unlock

pytestmark = pytest.mark.restic

# A command that tells restic nothing until somebody ends it: the backup holds its lock so long.
ENDLESS = backup.BackupOptions(command=("tail", "-f", "/dev/null"))


async def until(condition: Callable[[], object], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def lock_files(restic: Restic) -> list[Path]:
    return list((Path(restic.repository.url) / "locks").iterdir())


def has_lock(restic: Restic) -> bool:
    """Whether there is a lock: under a name with "-tmp-" it is not one yet."""
    return any(len(path.name) == 64 for path in lock_files(restic))


@asynccontextmanager
async def holding_a_lock(restic: Restic) -> AsyncIterator[asyncio.Task[backup.BackupResult]]:
    """A backup that has the repository's shared lock."""
    task = asyncio.create_task(backup.run(restic, ENDLESS))
    try:
        await until(lambda: has_lock(restic))
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def marked(run_id: str) -> list[int]:
    """Processes that carry the run's mark, zombies not counted."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and run_id.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


async def test_a_cancelled_backup_leaves_no_process_and_no_lock(
    restic: Restic, run_id: str
) -> None:
    async with holding_a_lock(restic) as task:
        assert marked(run_id)

        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert marked(run_id) == []
        assert lock_files(restic) == []


async def test_a_backup_that_is_ended_from_outside_says_so(restic: Restic) -> None:
    async with holding_a_lock(restic) as task:
        (lock,) = await locks.run(restic)
        os.kill(lock.pid, signal.SIGTERM)

        with pytest.raises(errors.ResticInterruptedError):
            await task
    assert lock_files(restic) == []


async def test_the_repository_is_locked_for_who_needs_it_alone(restic: Restic) -> None:
    async with holding_a_lock(restic):
        (lock,) = await locks.run(restic)

        with pytest.raises(errors.RepositoryLockedError) as caught:
            await prune.run(restic)
        await snapshots.run(restic)

    assert not lock.exclusive
    assert f"PID {lock.pid}" in caught.value.detail


async def test_the_lock_of_a_killed_restic_goes_by_unlock_and_a_live_one_stays(
    restic: Restic,
) -> None:
    async with holding_a_lock(restic) as task:
        (lock,) = await locks.run(restic)
        await unlock.run(restic)
        assert len(lock_files(restic)) == 1

        os.kill(lock.pid, signal.SIGKILL)
        with pytest.raises(errors.ResticKilledError):
            await task

    assert len(lock_files(restic)) == 1
    await unlock.run(restic)
    assert lock_files(restic) == []


CHILD = """
import asyncio, sys
from pathlib import Path
from holdfast.devices.local import LocalRunner
from holdfast.kernel.secret import Secret
from holdfast.restic import Repository, Restic
from holdfast.restic.commands import backup

async def main():
    repository = Repository(url=sys.argv[2], password=Secret(sys.stdin.read()))
    restic = Restic(sys.argv[1], LocalRunner(), repository, run_id=sys.argv[3])
    await backup.run(restic, backup.BackupOptions(command=("tail", "-f", "/dev/null")))

asyncio.run(main())
"""


async def test_restic_ends_when_its_executor_is_killed(restic: Restic, run_id: str) -> None:
    argv = (sys.executable, "-c", CHILD, restic.binary, restic.repository.url, run_id)
    executor = await asyncio.create_subprocess_exec(*argv, stdin=asyncio.subprocess.PIPE)
    assert executor.stdin is not None
    executor.stdin.write(restic.repository.password.reveal().encode())
    executor.stdin.close()
    await until(lambda: has_lock(restic))

    executor.kill()
    await executor.wait()

    await until(lambda: not lock_files(restic))
    await end_leftovers(run_id)
    assert marked(run_id) == []


async def test_what_an_earlier_attempt_left_is_ended_for_certain(run_id: str) -> None:
    environment = {**os.environ, "HOLDFAST_RUN": run_id}
    deaf = "trap '' TERM; echo ready; while :; do sleep 1; done"
    left = [
        await asyncio.create_subprocess_exec(
            "sh", "-c", script, env=environment, stdout=asyncio.subprocess.PIPE
        )
        for script in (deaf, "echo ready; exec sleep 1000")
    ]
    other = await asyncio.create_subprocess_exec(
        "sleep", "1000", env={**os.environ, "HOLDFAST_RUN": run_id + "0"}
    )
    for process in left:
        assert process.stdout is not None
        await process.stdout.readline()

    ended = await end_leftovers(run_id, grace=0.3)

    assert ended >= 2
    assert other.returncode is None
    assert os.getpid() not in marked(run_id)
    other.kill()
    await asyncio.gather(other.wait(), *(process.wait() for process in left))
    assert await end_leftovers(run_id) == 0


async def test_a_program_that_ignores_the_request_is_killed_with_its_children(
    run_id: str,
) -> None:
    script = "trap '' TERM; sleep 1000 & echo ready; wait; sleep 1000"
    program = Program(argv=("sh", "-c", script), run_id=run_id)

    async with LocalRunner().start(program) as process:
        assert await anext(process.lines()) == b"ready"
        assert await process.terminate(grace=0.2) == -signal.SIGKILL

    await until(lambda: marked(run_id) == [])


async def test_secrets_are_read_by_the_program_and_seen_by_nobody(run_id: str) -> None:
    script = 'cat "$TOKEN_FILE"; echo; cat "$TOKEN_FILE"; echo; cat'
    program = Program(
        argv=("sh", "-c", script + "; sleep 1000"),
        run_id=run_id,
        secrets={"TOKEN_FILE": Secret("hush-hush")},
        stdin=Secret("by-stdin\n"),
    )

    async with LocalRunner().start(program) as process:
        assert isinstance(process, LocalProcess)
        lines = process.lines()
        assert [await anext(lines) for _ in range(3)] == [b"hush-hush", b"hush-hush", b"by-stdin"]
        for pid in marked(run_id):
            for file in ("cmdline", "environ"):
                seen = Path(f"/proc/{pid}/{file}").read_bytes()
                assert b"hush" not in seen
                assert b"by-stdin" not in seen


async def test_a_program_sees_little_of_our_environment() -> None:
    environ = {"PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": "x", "RESTIC_PASSWORD": "y"}
    program = Program(argv=("env",), run_id="r", environment={"ADDED": "1"})

    async with LocalRunner(environ).start(program) as process:
        lines = {line async for line in process.lines()}

    names = {line.partition(b"=")[0] for line in lines}
    assert names == {b"PATH", b"HOLDFAST_RUN", b"ADDED"}


async def test_a_program_that_does_not_exist_is_told_by_name() -> None:
    with pytest.raises(ProgramNotFoundError, match="no-such-program"):
        async with LocalRunner().start(Program(argv=("no-such-program",))):
            pass


async def test_a_long_line_arrives_whole_and_a_full_pipe_does_not_hang_the_end() -> None:
    script = "head -c 3000000 /dev/zero | tr '\\0' x; echo; yes"

    async with LocalRunner().start(Program(argv=("sh", "-c", script))) as process:
        assert len(await anext(process.lines())) == 3_000_000
