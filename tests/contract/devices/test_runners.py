"""What holds for programs on this machine and over SSH alike."""

import asyncio
import os
import platform
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from holdfast.devices.base import Process, Program, ProgramNotFoundError, Runner
from holdfast.devices.facts import facts_of
from holdfast.devices.local import LocalRunner
from holdfast.devices.ssh import SshRunner
from holdfast.kernel.clock import utc_now
from holdfast.kernel.secret import Secret
from support.devices import connected, marked, nothing_marked, something_marked
from support.sshd import Sshd


@pytest.fixture(params=["local", "ssh"])
async def runner(request: pytest.FixtureRequest, sshd: Sshd) -> AsyncIterator[Runner]:
    if request.param == "local":
        yield LocalRunner()
        return
    async with connected(sshd) as connection:
        yield SshRunner(connection)


@pytest.fixture
def run_id() -> str:
    return uuid4().hex


async def output(runner: Runner, *argv: str, **fields: object) -> tuple[int, bytes, bytes]:
    """Exit code and both streams."""
    program = Program(argv=argv, **fields)  # type: ignore[arg-type]  # fields of Program
    async with runner.start(program) as process:
        return await all_of(process)


async def all_of(process: Process) -> tuple[int, bytes, bytes]:
    async def joined(parts: AsyncIterator[bytes]) -> bytes:
        return b"".join([part async for part in parts])

    out, errors = await asyncio.gather(joined(process.chunks()), joined(process.error_lines()))
    return await process.wait(), out, errors


async def test_output_errors_and_exit_code_arrive(runner: Runner) -> None:
    assert await output(runner, "sh", "-c", "echo out; echo err >&2; exit 7") == (
        7,
        b"out\n",
        b"err",
    )


@pytest.mark.parametrize(
    "word", ["", "a b", "it's", '"$HOME"', "back\\slash", "new\nline", "*", "-n", "ü", "a=b"]
)
async def test_arguments_arrive_as_they_are(runner: Runner, word: str) -> None:
    assert await output(runner, "printf", "%s|", word, word) == (0, f"{word}|{word}|".encode(), b"")


@pytest.mark.parametrize(
    "content", [b"", b"text\n", b"no newline", bytes(range(256)), b"%s\\n\\0101 `$(x)`", b"\n\n"]
)
async def test_standard_input_is_what_was_given_and_ends(runner: Runner, content: bytes) -> None:
    assert await output(runner, "cat", stdin=content) == (0, content, b"")


async def test_much_goes_in_and_out(runner: Runner) -> None:
    content = os.urandom(300_000)

    assert await output(runner, "cat", stdin=content) == (0, content, b"")


async def test_secrets_are_read_and_seen_by_nobody(runner: Runner, run_id: str) -> None:
    secrets = {"ONE": Secret("hush one\n"), "TWO": Secret("hush\\two%s\n\nend")}
    script = 'cat "$ONE" "$ONE"; cat "$TWO"; echo; cat; echo end-of-all; exec sleep 1000'
    program = Program(
        argv=("sh", "-c", script), run_id=run_id, secrets=secrets, stdin=Secret("hush three\n")
    )

    async with runner.start(program) as process:
        lines = process.lines()
        read = []
        while not read or read[-1] != b"end-of-all":
            read.append(await anext(lines))
        assert read == [
            b"hush one", b"hush one", b"hush\\two%s", b"", b"end", b"hush three", b"end-of-all",
        ]  # fmt: skip
        assert marked(run_id)
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal() or int(entry.name) == os.getpid():
                continue
            for file in ("cmdline", "environ"):
                try:
                    seen = (entry / file).read_bytes()
                except OSError:
                    continue
                assert b"hush" not in seen or b"test_runners" in seen
    await nothing_marked(run_id)


async def test_the_programs_environment_is_small_and_what_was_given(runner: Runner) -> None:
    fields = {"run_id": "r", "environment": {"ADDED": "a b"}}

    _, told, _ = await output(runner, "env", **fields)

    names = {line.partition(b"=")[0] for line in told.splitlines()}
    assert {b"HOLDFAST_RUN", b"ADDED", b"PATH", b"HOME"} <= names
    assert names <= {
        *(b"HOLDFAST_RUN", b"ADDED", b"PATH", b"HOME", b"TMPDIR", b"LANG"),
        *(b"XDG_CACHE_HOME", b"SSL_CERT_FILE", b"SSL_CERT_DIR"),
    }


async def test_it_starts_where_it_is_told(runner: Runner, tmp_path: Path) -> None:
    folder = tmp_path / "a folder's"
    folder.mkdir()

    assert await output(runner, "pwd", cwd=str(folder)) == (0, f"{folder}\n".encode(), b"")


async def test_a_program_that_is_not_there_is_named(runner: Runner) -> None:
    with pytest.raises(ProgramNotFoundError, match="no-such-program"):
        async with runner.start(Program(argv=("no-such-program",))):
            pass


async def test_the_end_of_the_block_ends_it(runner: Runner, run_id: str) -> None:
    async with runner.start(Program(argv=("sleep", "1000"), run_id=run_id)):
        await something_marked(run_id)

    await nothing_marked(run_id)


async def test_it_is_asked_first_and_may_clean_up(runner: Runner, tmp_path: Path) -> None:
    left = tmp_path / "lock"
    script = f"touch {left}; trap 'rm {left}; exit 3' TERM; echo ready; while :; do sleep 0.1; done"

    async with runner.start(Program(argv=("sh", "-c", script))) as process:
        assert await anext(process.lines()) == b"ready"
        assert await process.terminate() == 3

    assert not left.exists()


async def test_one_that_was_killed_says_so(runner: Runner) -> None:
    code, _, _ = await output(runner, "sh", "-c", "kill -9 $$")

    assert code == -signal.SIGKILL


async def test_many_at_once(runner: Runner) -> None:
    async def one(number: int) -> None:
        assert await output(runner, "echo", str(number)) == (0, f"{number}\n".encode(), b"")

    await asyncio.gather(*(one(number) for number in range(8)))


async def test_it_tells_what_machine_it_is(runner: Runner) -> None:
    facts = await facts_of(runner, utc_now, program="sh")

    assert facts.uid == os.getuid()
    assert facts.machine == platform.machine()
    assert facts.system == "Linux"
    assert facts.program.endswith("/sh")
    assert facts.free_bytes > 0
    assert abs(facts.clock_ahead) < timedelta(seconds=30)
    assert (await facts_of(runner, utc_now, program="no-such-program")).program == ""
