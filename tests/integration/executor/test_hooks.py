"""A person's own hooks around a backup: on this machine, on a device, and over HTTP."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from holdfast.events.consistency import Consistency, Hook, HookKind, OnFailure, Step, When
from holdfast.events.queries import HeartbeatReply
from holdfast.events.run import BackupResult, RunCompleted, RunStatus
from holdfast.events.snapshot import SnapshotCompleted
from holdfast.restic.commands import ls, snapshots
from holdfast.restic.commands.ls import LsOptions
from support.devices import nothing_marked
from support.executor import Bench, Place, backup_of, until
from support.hosts import Pi
from support.sshd import Sshd

pytestmark = [pytest.mark.restic]


@pytest.fixture(params=["here", pytest.param("device", marks=pytest.mark.sftp)])
def device(request: pytest.FixtureRequest, bench: Bench, tmp_path: Path) -> dict[str, Any]:
    """The field of a backup that says where the app is."""
    if request.param == "here":
        return {}
    own: Sshd = request.getfixturevalue("own_sshd")
    return {"device": Pi(own, tmp_path / "pi").known_to(bench).address}


def wanted(*hooks: Hook) -> Consistency:
    return Consistency(hooks=hooks)


def before(command: str, **fields: Any) -> Hook:
    return Hook(when=When.BEFORE, command=command, **fields)


def after(command: str, **fields: Any) -> Hook:
    return Hook(when=When.AFTER, command=command, **fields)


def steps_of(run: RunCompleted) -> tuple[Step, ...]:
    assert isinstance(run.result, BackupResult)
    return run.result.steps


async def test_what_is_done_before_is_in_the_snapshot_and_its_output_is_kept(
    bench: Bench, device: dict[str, Any], nas: Place, data: Path
) -> None:
    hooks = wanted(
        before(f"echo dump > {data}/dump; echo said; echo too >&2"),
        after(f'rm {data}/dump; echo "$HOLDFAST_HOOK $HOLDFAST_OUTCOME"'),
    )

    run = await bench.outcome(backup_of([data], nas, consistency=hooks, **device))

    assert run.status is RunStatus.SUCCESS, run.failure
    first, last = steps_of(run)
    assert (first.ok, first.exit_code, sorted(first.output.split())) == (True, 0, ["said", "too"])
    assert last.output == "after success"
    assert not (data / "dump").exists()
    (made,) = bench.said(SnapshotCompleted)
    options = LsOptions(snapshot=made.restic_snapshot_id)
    async with ls.open_stream(bench.restic(nas), options) as nodes:
        assert f"{data}/dump" in {node.path async for node in nodes}


async def test_a_hook_that_fails_before_ends_the_run_and_what_is_after_is_done(
    bench: Bench, device: dict[str, Any], nas: Place, data: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "after"
    password = nas.secrets.repo_password
    hooks = wanted(
        before(f"echo it is {password}; exit 3"),
        before(f"touch {mark}.never"),
        after(f'echo "$HOLDFAST_OUTCOME" > {mark}'),
    )

    run = await bench.outcome(backup_of([data], nas, consistency=hooks, **device))

    assert run.status is RunStatus.FAILED
    assert run.failure is not None
    assert run.failure.code == "hook_failed"
    assert mark.read_text() == "failed\n"
    assert not Path(f"{mark}.never").exists()
    assert await snapshots.run(bench.restic(nas)) == ()
    first, _ = steps_of(run)
    assert (first.ok, first.exit_code, first.output) == (False, 3, "it is ••••")


async def test_one_that_only_warns_stops_nothing(
    bench: Bench, device: dict[str, Any], nas: Place, data: Path
) -> None:
    hooks = wanted(
        before("exit 3", on_failure=OnFailure.WARN), after("exit 4", on_failure=OnFailure.WARN)
    )

    run = await bench.outcome(backup_of([data], nas, consistency=hooks, **device))

    assert run.status is RunStatus.SUCCESS
    assert [each.exit_code for each in steps_of(run)] == [3, 4]


async def test_one_that_fails_after_makes_it_partial(
    bench: Bench, device: dict[str, Any], nas: Place, data: Path
) -> None:
    run = await bench.outcome(backup_of([data], nas, consistency=wanted(after("exit 4")), **device))

    assert run.status is RunStatus.PARTIAL
    assert run.failure is not None
    assert run.failure.code == "hook_failed"
    assert len(await snapshots.run(bench.restic(nas))) == 1


async def test_one_that_takes_too_long_is_ended_with_what_it_started(
    bench: Bench, device: dict[str, Any], nas: Place, data: Path
) -> None:
    hooks = wanted(before("echo begun; sleep 600 & sleep 600; echo never", timeout_seconds=1))
    work = backup_of([data], nas, consistency=hooks, **device)

    run = await bench.outcome(work)

    assert run.status is RunStatus.FAILED
    (step,) = steps_of(run)
    assert (step.exit_code, step.output) == (None, "begun")
    await nothing_marked(str(work.run_id))


async def test_what_is_after_is_done_when_the_run_is_cancelled(
    bench: Bench, device: dict[str, Any], nas: Place, data: Path, tmp_path: Path
) -> None:
    bench.claim_seconds = 0.6  # a heartbeat each 0.2 s
    begun, mark = tmp_path / "begun", tmp_path / "after"
    hooks = wanted(before(f"touch {begun}; sleep 600"), after(f"touch {mark}"))
    async with bench.doing(backup_of([data], nas, consistency=hooks, **device)) as task:
        await until(begun.exists, what="the hook runs")
        bench.heartbeat = HeartbeatReply(held=True, cancel=True)
        await task

    run = bench.outcomes[-1]
    assert isinstance(run, RunCompleted)
    assert run.status is RunStatus.CANCELLED
    assert mark.exists()


async def test_much_output_is_cut_to_its_end(bench: Bench, nas: Place, data: Path) -> None:
    hooks = wanted(before("head -c 3000000 /dev/zero | tr '\\0' x; echo the end"))

    run = await bench.outcome(backup_of([data], nas, consistency=hooks))

    (step,) = steps_of(run)
    assert step.output.endswith("xthe end")
    assert len(step.output) <= 8 * 1024


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Its address, and what it was asked; a path's number is the answer's status."""
    asked: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            asked.append((self.path, self.rfile.read(length)))
            self.send_response(int(self.path.partition("?")[0].strip("/")))
            self.end_headers()
            self.wfile.write(b"as you wish")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


async def test_a_request_is_a_hook_and_a_bad_answer_fails_it(
    bench: Bench, nas: Place, data: Path, webhook: tuple[str, list[tuple[str, bytes]]]
) -> None:
    url, asked = webhook
    hooks = wanted(
        Hook(when=When.BEFORE, kind=HookKind.HTTP, url=f"{url}/204?token=hidden"),
        Hook(when=When.AFTER, kind=HookKind.HTTP, url=f"{url}/503"),
    )
    work = backup_of([data], nas, consistency=hooks)

    run = await bench.outcome(work)

    assert run.status is RunStatus.PARTIAL
    good, bad = steps_of(run)
    assert (good.ok, bad.ok, bad.exit_code) == (True, False, 503)
    assert "as you wish" in bad.output
    assert "hidden" not in good.name
    assert [path for path, _ in asked] == ["/204?token=hidden", "/503"]
    assert str(work.run_id).encode() in asked[0][1]
    assert b'"outcome":"success"' in asked[1][1].replace(b" ", b"")
