"""Death, fencing, cancelling and leaving: what stays behind, and what is said."""

import asyncio
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.bus.testing import RecordedJob
from holdfast.events.queries import GetSnapshot, Heartbeat, HeartbeatReply, ReleaseClaim
from holdfast.events.run import ForgetResult, RunCancelRequested, RunCompleted, RunStatus
from holdfast.events.snapshot import SnapshotCompleted, SnapshotFailed
from holdfast.events.views import SnapshotView
from holdfast.events.work import FanOut, ForgetAdmitted, RestoreRequested
from holdfast.executor.worker import Worker
from holdfast.kernel.ids import new_id
from holdfast.restic.binary import find_restic
from holdfast.restic.commands import backup
from holdfast.restic.commands.backup import BackupOptions
from support.executor import Bench, Place, backup_of, init_of, local_place, until, work_of
from support.house import restic_processes
from support.trees import differences, make_tree, manifest

pytestmark = pytest.mark.restic


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """So much to read that restic is at it for as long as a test wants, and next to nothing
    to store."""
    folder = tmp_path / "endless"
    folder.mkdir()
    with (folder / "zeros").open("wb") as file:
        file.truncate(400 * 1024**3)
    return folder


async def restic_at_work(place: Place) -> None:
    # Before its lock is one, restic writes it under a name with "-tmp-"; killed then, that
    # file stays, and is a lock to nobody.
    await until(
        lambda: any(len(lock.name) == 64 for lock in place.files("locks")),
        what="restic has its lock",
    )


def nothing_left(place: Place) -> bool:
    return not place.files("locks") and not restic_processes(place.address.local_path)


# ---- taking over


async def test_a_killed_executor_is_replaced(bench: Bench, nas: Place, tmp_path: Path) -> None:
    data = make_tree(tmp_path / "data")
    endless = data / "zeros"
    with endless.open("wb") as file:
        file.truncate(400 * 1024**3)
    work = backup_of([data], nas)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, *sys.path],
        stdin=subprocess.PIPE,
    )
    assert child.stdin is not None
    child.stdin.write(msgspec.json.encode([str(bench.deps.cache), work, nas.secrets]))
    child.stdin.close()
    await restic_at_work(nas)
    child.kill()
    child.wait()
    endless.unlink()

    bench.claim = 2
    run = await bench.outcome(work)

    assert run.status is RunStatus.SUCCESS, run.failure
    assert run.claim == 2
    assert len(nas.files("snapshots")) == 1
    assert nothing_left(nas)


CHILD = """
import sys
sys.path[:] = sys.argv[1:]
import asyncio
from pathlib import Path
import msgspec
from holdfast.events.work import BackupRequested, DestinationSecrets
from support.executor import Bench, Place

cache, work, secrets = msgspec.json.decode(
    sys.stdin.buffer.read(), type=tuple[str, BackupRequested, DestinationSecrets]
)
bench = Bench(Path(cache)).knows(Place(work.targets[0].address, secrets))
asyncio.run(bench.do(work))
"""


async def test_a_restic_that_outlived_its_executor_is_ended_first(
    bench: Bench, nas: Place, data: Path, endless: Path
) -> None:
    work = backup_of([data], nas)
    options = BackupOptions(paths=(str(endless),))
    leftover = asyncio.create_task(backup.run(bench.restic(nas, work.run_id), options))
    await restic_at_work(nas)

    bench.claim = 2
    run = await bench.outcome(work)

    assert run.status is RunStatus.SUCCESS, run.failure
    assert nothing_left(nas)
    (result,) = await asyncio.gather(leftover, return_exceptions=True)
    assert isinstance(result, Exception)


async def kill_restic(bench: Bench, place: Place, endless: Path) -> None:
    """As a power cut ends it: with its lock left behind."""
    options = BackupOptions(paths=(str(endless),))
    running = asyncio.create_task(backup.run(bench.restic(place), options))
    await restic_at_work(place)
    for pid in restic_processes(place.address.local_path):
        subprocess.run(["kill", "-9", str(pid)], check=True)
    await asyncio.gather(running, return_exceptions=True)
    assert place.files("locks")


async def test_a_dead_ones_lock_is_cleared_on_takeover(
    bench: Bench, nas: Place, data: Path, endless: Path
) -> None:
    await kill_restic(bench, nas, endless)

    bench.claim = 2
    run = await bench.outcome(backup_of([data], nas))

    assert run.status is RunStatus.SUCCESS
    assert nothing_left(nas)


async def test_a_dead_ones_lock_does_not_stop_a_forget(
    bench: Bench, nas: Place, endless: Path
) -> None:
    await kill_restic(bench, nas, endless)
    began = time.monotonic()

    run = await bench.outcome(
        work_of(ForgetAdmitted, nas, configuration_id=new_id(), restic_snapshot_ids=("a" * 64,))
    )

    assert run.status is RunStatus.SUCCESS, run.failure
    assert nothing_left(nas)
    assert time.monotonic() - began < 30


async def test_a_living_ones_lock_is_respected(bench: Bench, nas: Place, endless: Path) -> None:
    options = BackupOptions(paths=(str(endless),))
    living = asyncio.create_task(backup.run(bench.restic(nas), options))
    await restic_at_work(nas)

    run = await bench.outcome(
        work_of(ForgetAdmitted, nas, configuration_id=new_id(), restic_snapshot_ids=("a" * 64,))
    )

    assert run.failure is not None
    assert run.failure.code == "repository_locked"
    assert run.failure.retryable
    assert not living.done()
    living.cancel()
    await asyncio.gather(living, return_exceptions=True)


async def test_a_snapshot_that_was_made_but_not_told_is_adopted(
    bench: Bench, nas: Place, data: Path
) -> None:
    work = backup_of([data], nas)
    await bench.do(work)
    (told,) = bench.said(SnapshotCompleted)
    bench.bus.published.clear()

    bench.claim = 2
    run = await bench.outcome(work)

    (adopted,) = bench.said(SnapshotCompleted)
    assert run.status is RunStatus.SUCCESS
    assert adopted.restic_snapshot_id == told.restic_snapshot_id
    assert adopted.total_bytes_processed == told.total_bytes_processed
    assert adopted.files_new == told.files_new
    assert adopted.event_id != told.event_id
    assert len(nas.files("snapshots")) == 1


async def test_an_adopted_snapshot_tells_what_is_missing_in_it(
    bench: Bench, nas: Place, data: Path
) -> None:
    work = backup_of([data, Path("/no/such/path")], nas)
    await bench.do(work)
    bench.bus.published.clear()

    bench.claim = 2
    run = await bench.outcome(work)

    (adopted,) = bench.said(SnapshotCompleted)
    assert run.status is RunStatus.PARTIAL
    assert adopted.unreadable_files == ("/no/such/path",)


async def test_a_destination_that_was_told_before_is_not_done_again(
    bench: Bench, nas: Place, data: Path, tmp_path: Path
) -> None:
    other = local_place(tmp_path / "other", password=nas.secrets.repo_password)
    work = backup_of([data], other, nas)
    bench.claim, bench.done = 2, (work.targets[0].snapshot_id,)
    bench.bus.answers[GetSnapshot] = a_row(work, RunStatus.FAILED)

    run = await bench.outcome(work)

    assert run.status is RunStatus.PARTIAL
    assert [each.destination_id for each in bench.said(SnapshotCompleted)] == [nas.id]
    assert bench.said(SnapshotFailed) == []


def a_row(work: Any, status: RunStatus) -> SnapshotView:
    now = datetime.now(UTC)
    return SnapshotView(
        id=work.targets[0].snapshot_id,
        run_id=work.run_id,
        configuration_id=work.configuration_id,
        app_id=None,
        destination_id=work.targets[0].address.destination_id,
        restic_snapshot_id=None,
        hostname="here",
        paths=work.paths,
        status=status,
        files_new=0,
        files_changed=0,
        files_unmodified=0,
        data_added=0,
        total_size=0,
        duration=0,
        error_message="It was away.",
        started_at=now,
        completed_at=now,
        created_at=now,
    )


async def test_a_restore_that_broke_off_is_finished_not_refused(
    bench: Bench, nas: Place, data: Path, tmp_path: Path
) -> None:
    before = manifest(data)
    await bench.do(backup_of([data], nas))
    snapshot = bench.said(SnapshotCompleted)[0].restic_snapshot_id
    back = tmp_path / "back"
    work = work_of(RestoreRequested, nas, restic_snapshot_id=snapshot, target_path=str(back))
    half = back / data.relative_to("/") / "script.sh"
    half.parent.mkdir(parents=True)
    half.write_text("#!/b")

    bench.claim = 2
    refused = await bench.outcome(work)
    bench.bus.published.clear()
    mark = bench.deps.cache / "restores" / str(work.run_id)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    finished = await bench.outcome(work)

    assert refused.failure is not None
    assert refused.failure.code == "would_overwrite"
    assert finished.status is RunStatus.SUCCESS, finished.failure
    assert differences(before, manifest(back / data.relative_to("/"))) == []
    assert not mark.exists()


# ---- being stopped


async def test_a_fenced_run_stops_and_says_nothing(bench: Bench, nas: Place, endless: Path) -> None:
    bench.claim_seconds = 0.6
    async with bench.doing(backup_of([endless], nas)) as doing:
        await restic_at_work(nas)
        bench.heartbeat = HeartbeatReply(held=False)
        job = await doing

    assert job.fate == ("again", 0.6)
    assert bench.outcomes == []
    assert nothing_left(nas)


async def test_a_catalog_that_is_silent_for_a_claims_time_fences(
    bench: Bench, nas: Place, endless: Path
) -> None:
    bench.claim_seconds = 0.6
    async with bench.doing(backup_of([endless], nas)) as doing:
        await restic_at_work(nas)
        bench.bus.answers.clear()
        job = await doing

    assert job.fate == ("again", 0.6)
    assert bench.outcomes == []
    assert nothing_left(nas)


async def test_a_cancelled_backup_says_so_of_every_destination(
    bench: Bench, nas: Place, endless: Path, tmp_path: Path
) -> None:
    other = local_place(tmp_path / "other", password=nas.secrets.repo_password)
    work = backup_of([endless], nas, other, fan_out=FanOut.MIRROR)
    bench.claim_seconds = 0.6
    async with bench.doing(work) as doing:
        await restic_at_work(nas)
        bench.heartbeat = HeartbeatReply(held=True, cancel=True)
        job = await doing

    (run,) = bench.said(RunCompleted)
    assert job.fate == ("done", None)
    assert run.status is RunStatus.CANCELLED
    assert [each.status for each in bench.said(SnapshotFailed)] == [RunStatus.CANCELLED] * 2
    assert nas.files("snapshots") == []
    assert nothing_left(nas)


@pytest.mark.parametrize("ends", ["sleep 60", "exit 1"], ids=["cancelled", "failed"])
async def test_a_forget_that_breaks_off_says_which_snapshots_are_gone(
    bench: Bench, nas: Place, tmp_path: Path, ends: str
) -> None:
    data = make_tree(tmp_path / "data")
    for _ in range(3):
        assert (await bench.outcome(backup_of([data], nas))).status is RunStatus.SUCCESS
    first, second, third = (each.restic_snapshot_id for each in bench.said(SnapshotCompleted))
    # Of "forget -- first second" it does the first, and then it is stuck.
    wrapper, mark = tmp_path / "restic", tmp_path / "forgot-one"
    wrapper.write_text(
        f"""#!/bin/sh
        case " $* " in
        *" forget "*) {find_restic()} forget {first} && touch {mark} && {ends} ;;
        *) exec {find_restic()} "$@" ;;
        esac
        """
    )
    wrapper.chmod(0o755)
    stuck = Bench(tmp_path / "cache", restic=wrapper).knows(nas)
    stuck.claim_seconds = 0.6
    work = work_of(
        ForgetAdmitted, nas, configuration_id=new_id(), restic_snapshot_ids=(first, second)
    )

    async with stuck.doing(work) as doing:
        await until(mark.exists, what="the first is forgotten")
        if ends != "exit 1":
            stuck.heartbeat = HeartbeatReply(held=True, cancel=True)
        job = await doing

    (run,) = stuck.said(RunCompleted)
    assert job.fate == ("done", None)
    assert run.status is (RunStatus.FAILED if ends == "exit 1" else RunStatus.CANCELLED)
    assert run.result == ForgetResult(restic_snapshot_ids=(first,))
    assert third not in run.result.restic_snapshot_ids


async def test_leaving_ends_restic_and_gives_the_run_back(
    bench: Bench, nas: Place, endless: Path
) -> None:
    work = backup_of([endless], nas)
    async with bench.doing(work) as doing:
        await restic_at_work(nas)
        bench.desk.leave()
        job = await doing

    assert job.fate == ("again", 1.0)
    # So that a restart does not wait until the claim has run out.
    assert ReleaseClaim(run_id=work.run_id, claim=1) in bench.bus.asked
    assert bench.outcomes == []
    assert nothing_left(nas)


async def test_the_worker_leaves_on_its_stop_and_hears_cancels_at_once(
    bench: Bench, nas: Place, endless: Path, tmp_path: Path
) -> None:
    other = local_place(tmp_path / "other", password=nas.secrets.repo_password)
    other.address = msgspec.structs.replace(other.address, local_path=nas.address.local_path)
    bench.knows(other)
    worker = Worker(bench.deps)
    stop = asyncio.Event()
    loops = [asyncio.create_task(each(stop)) for each in (worker.run, worker.hear_cancels)]
    jobs = [RecordedJob(backup_of([endless], place)) for place in (nas, other)]
    jobs.append(RecordedJob(backup_of([endless], nas)))
    for job in jobs:
        bench.bus.jobs.put_nowait(job)
    await until(lambda: len(nas.files("locks")) == 2, what="both slots are at work")
    assert bench.bus.jobs.qsize() == 1

    cancelled = jobs[0].work.run_id
    asked = [0]

    def answer(query: Any) -> HeartbeatReply:
        asked[0] += query.run_id == cancelled
        return HeartbeatReply(held=True, cancel=query.run_id == cancelled)

    bench.bus.answers[Heartbeat] = answer
    before = datetime.now(UTC)
    await bench.bus.publish(
        RunCancelRequested(event_id=new_id(), occurred_at=before, run_id=cancelled)
    )
    await until(lambda: jobs[0].fate, what="the cancelled one has ended")
    took = datetime.now(UTC) - before
    stop.set()
    await asyncio.gather(*loops)

    assert asked == [1]
    assert took < timedelta(seconds=bench.claim_seconds / 3)
    assert jobs[0].fate == ("done", None)
    assert jobs[1].fate == ("again", 1.0)
    assert jobs[2].fate in (None, ("again", 1.0))
    assert [each.run_id for each in bench.said(RunCompleted)] == [cancelled]
    assert nothing_left(nas)


async def test_an_outcome_waits_until_the_bus_is_back(bench: Bench, nas: Place, data: Path) -> None:
    bench.bus.connected = False
    async with bench.doing(backup_of([data], nas)) as doing:
        await until(lambda: nas.files("snapshots") and not nas.files("locks"))
        assert bench.outcomes == []
        bench.bus.connected = True
        job = await doing

    assert job.fate == ("done", None)
    assert [type(each) for each in bench.outcomes] == [SnapshotCompleted, RunCompleted]


# ---- an initialisation that is called off


@pytest.fixture
def halting(tmp_path: Path) -> Path:
    """A restic that halts the first time it is to open a repository, until it is ended."""
    program = tmp_path / "restic"
    program.write_text(
        f"""#!/bin/sh
case " $* " in *" cat "*)
    [ -e {tmp_path}/halted ] || {{ touch {tmp_path}/halted; exec sleep 600; }} ;;
esac
exec {find_restic()} "$@"
"""
    )
    program.chmod(0o755)
    return program


async def cancelled_while_halting(bench: Bench, place: Place, tmp_path: Path) -> RunCompleted:
    async with bench.knows(place).doing(init_of(place)) as doing:
        await until((tmp_path / "halted").exists, what="restic opens the repository")
        bench.heartbeat = HeartbeatReply(held=True, cancel=True)
        await doing
    (run,) = bench.said(RunCompleted)
    return run


async def test_an_init_cancelled_after_the_repository_was_made_leaves_nothing(
    halting: Path, tmp_path: Path
) -> None:
    bench = Bench(tmp_path / "cache", restic=halting)
    bench.claim_seconds = 0.6
    (tmp_path / "nas").mkdir()
    place = local_place(tmp_path / "nas")

    run = await cancelled_while_halting(bench, place, tmp_path)

    assert run.status is RunStatus.CANCELLED
    assert list((tmp_path / "nas").iterdir()) == []


async def test_what_a_dead_init_made_goes_when_its_successor_is_cancelled(
    halting: Path, nas: Place, tmp_path: Path
) -> None:
    bench = Bench(tmp_path / "cache", restic=halting)
    bench.claim, bench.claim_seconds = 2, 0.6
    place = Place(msgspec.structs.replace(nas.address, cheap_key=True), nas.secrets)

    run = await cancelled_while_halting(bench, place, tmp_path)

    assert run.status is RunStatus.CANCELLED
    assert list((tmp_path / "nas").iterdir()) == []


async def test_a_repository_that_holds_data_stays_when_its_init_is_cancelled(
    bench: Bench, halting: Path, nas: Place, data: Path, tmp_path: Path
) -> None:
    await bench.outcome(backup_of([data], nas))
    other = Bench(tmp_path / "cache", restic=halting)
    other.claim, other.claim_seconds = 2, 0.6
    place = Place(msgspec.structs.replace(nas.address, cheap_key=True), nas.secrets)

    run = await cancelled_while_halting(other, place, tmp_path)

    assert run.status is RunStatus.CANCELLED
    assert nas.files("keys")
    assert nas.files("snapshots")


async def test_a_persons_own_empty_repository_stays_when_its_init_is_cancelled(
    halting: Path, nas: Place, tmp_path: Path
) -> None:
    bench = Bench(tmp_path / "cache", restic=halting)
    bench.claim, bench.claim_seconds = 2, 0.6

    run = await cancelled_while_halting(bench, nas, tmp_path)

    assert run.status is RunStatus.CANCELLED
    assert nas.files("keys")


async def test_what_a_dead_init_left_half_made_goes_when_it_is_cancelled(
    bench: Bench, tmp_path: Path
) -> None:
    place = local_place(tmp_path / "nas")
    keys = Path(place.address.local_path) / "keys"
    keys.mkdir(parents=True)
    (keys / ("d" * 64)).write_text("{}")
    bench.claim, bench.heartbeat = 2, HeartbeatReply(held=True, cancel=True)

    run = await bench.knows(place).outcome(init_of(place))

    assert run.status is RunStatus.CANCELLED
    assert list((tmp_path / "nas").iterdir()) == []


async def test_a_wish_to_stop_is_heard_before_a_dead_ones_work_is_done_again(
    bench: Bench, nas: Place, endless: Path
) -> None:
    bench.claim, bench.heartbeat = 2, HeartbeatReply(held=True, cancel=True)
    before = datetime.now(UTC)

    run = await bench.outcome(backup_of([endless], nas))

    assert run.status is RunStatus.CANCELLED
    assert datetime.now(UTC) - before < timedelta(seconds=bench.claim_seconds / 3)
    assert nothing_left(nas)
