"""Restores that go wrong: what is half written never passes for whole, and what is told is so."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.events.restoring import RestoreMode
from holdfast.events.run import RestoreResult, RunCompleted, RunStatus
from holdfast.events.snapshot import SnapshotCompleted
from holdfast.events.work import FanOut, RestoreRequested, RestoreSource
from support.executor import Bench, Place, backup_of, local_place, until, work_of
from support.hosts import Pi
from support.sshd import Sshd
from support.trees import differences, manifest, pour

pytestmark = pytest.mark.restic

SNAPSHOT = 1_600_000_000
MIB = 1024 * 1024


@pytest.fixture(params=["here", pytest.param("device", marks=pytest.mark.sftp)])
def where(request: pytest.FixtureRequest, bench: Bench, tmp_path: Path) -> dict[str, Any]:
    """Where it is restored: fields of the work."""
    if request.param == "here":
        return {}
    sshd: Sshd = request.getfixturevalue("own_sshd")
    return {"device": Pi(sshd, tmp_path / "pi").known_to(bench).address}


@pytest.fixture
async def second(bench: Bench, nas: Place, tmp_path: Path) -> Place:
    """A sibling of the first."""
    (tmp_path / "second").mkdir()
    return await bench.initialise(local_place(tmp_path / "second", "second"), first=nas)


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A folder with one file in several packs."""
    blocks = pour(tmp_path / "blocks", 48)
    root = tmp_path / "big"
    root.mkdir()
    with (root / "file").open("wb") as file:
        for block in sorted(blocks.iterdir()):
            file.write(block.read_bytes())
    os.utime(root / "file", (SNAPSHOT, SNAPSHOT))
    return root


async def made(bench: Bench, data: Path, *places: Place) -> list[str]:
    run = await bench.outcome(backup_of([data], *places, fan_out=FanOut.COPY))
    assert run.status is RunStatus.SUCCESS, run.failure
    ids = {each.destination_id: each for each in bench.said(SnapshotCompleted)}
    return [ids[place.id].restic_snapshot_id for place in places]


def restore_of(place: Place, snapshot: str, target: Path, **fields: Any) -> RestoreRequested:
    return work_of(
        RestoreRequested, place, restic_snapshot_id=snapshot, target_path=str(target), **fields
    )


def source(place: Place, snapshot: str) -> RestoreSource:
    return RestoreSource(address=place.address, restic_snapshot_id=snapshot)


def result_of(run: RunCompleted) -> RestoreResult:
    assert run.status is RunStatus.SUCCESS, run.failure
    assert isinstance(run.result, RestoreResult)
    return run.result


def damage(place: Place) -> None:
    """One of the packs; the others are whole."""
    pack = max(place.files("data"), key=lambda each: each.stat().st_size)
    content = bytearray(pack.read_bytes())
    content[len(content) // 3] ^= 0xFF
    pack.chmod(0o600)
    pack.write_bytes(content)


# ---- half written: of the right size and time, and not of the right content


async def test_a_file_that_one_destination_half_wrote_is_written_whole_by_the_next(
    bench: Bench, nas: Place, second: Place, big: Path, tmp_path: Path, where: dict[str, Any]
) -> None:
    first, copy = await made(bench, big, nas, second)
    damage(nas)

    run = await bench.outcome(
        restore_of(nas, first, tmp_path / "back", others=(source(second, copy),), **where)
    )

    result = result_of(run)
    assert [each.code for each in result.failed_sources] == ["restore_incomplete"]
    assert differences(manifest(big), manifest(tmp_path / "back" / big.relative_to("/"))) == []


async def test_asked_for_again_what_is_half_written_does_not_pass_for_whole(
    bench: Bench, nas: Place, second: Place, big: Path, tmp_path: Path
) -> None:
    first, copy = await made(bench, big, nas, second)
    damage(nas)
    back = tmp_path / "back"
    half = back / big.relative_to("/") / "file"

    partial = await bench.outcome(restore_of(nas, first, back))
    stat = half.stat()
    again = await bench.outcome(restore_of(second, copy, back))
    allowed = await bench.outcome(restore_of(second, copy, back, mode=RestoreMode.ALWAYS))

    assert partial.status is RunStatus.PARTIAL
    assert partial.failure is not None
    assert str(big / "file") in partial.failure.message
    # What makes it dangerous.
    assert (stat.st_size, stat.st_mtime) == (48 * MIB, SNAPSHOT)
    assert again.failure is not None
    assert again.failure.code == "would_overwrite"
    assert result_of(allowed).files_restored
    assert half.read_bytes() == (big / "file").read_bytes()


async def test_if_newer_stops_at_what_is_half_written_and_names_it(
    bench: Bench, nas: Place, second: Place, big: Path, tmp_path: Path
) -> None:
    first, copy = await made(bench, big, nas, second)
    damage(nas)

    run = await bench.outcome(
        restore_of(
            nas,
            first,
            tmp_path / "back",
            others=(source(second, copy),),
            mode=RestoreMode.IF_NEWER,
        )
    )

    assert run.status is RunStatus.PARTIAL
    assert run.failure is not None
    assert str(big / "file") in run.failure.message


async def test_what_is_in_place_counts_for_more_than_who_was_away(
    bench: Bench, nas: Place, second: Place, big: Path, tmp_path: Path
) -> None:
    first, copy = await made(bench, big, nas, second)
    damage(nas)
    Path(second.address.local_path).rename(tmp_path / "in the cupboard")

    run = await bench.outcome(
        restore_of(nas, first, tmp_path / "back", others=(source(second, copy),))
    )

    assert run.status is RunStatus.PARTIAL
    assert run.failure is not None
    assert run.failure.code == "restore_incomplete"
    assert "nas: " in run.failure.message
    assert "second: " in run.failure.message


# ---- verified means verified


@pytest.fixture
def disguised(tmp_path: Path) -> Path:
    """A folder with a file whose content can change without its size and time."""
    root = tmp_path / "disguised"
    root.mkdir()
    (root / "file").write_text("in the snapshot")
    os.utime(root / "file", (SNAPSHOT, SNAPSHOT))
    return root


async def test_content_is_compared_whatever_size_and_time_say(
    bench: Bench, nas: Place, disguised: Path
) -> None:
    (snapshot,) = await made(bench, disguised, nas)
    (disguised / "file").write_text("IN THE SNAPSHOT")
    os.utime(disguised / "file", (SNAPSHOT, SNAPSHOT))

    refused = await bench.outcome(restore_of(nas, snapshot, Path("/"), verify=True))
    assert (disguised / "file").read_text() == "IN THE SNAPSHOT"
    run = await bench.outcome(
        restore_of(nas, snapshot, Path("/"), verify=True, mode=RestoreMode.IF_CHANGED)
    )

    assert refused.failure is not None
    assert refused.failure.code == "would_overwrite"
    assert result_of(run).verified
    assert (disguised / "file").read_text() == "in the snapshot"


async def test_what_is_not_as_it_was_written_is_a_failed_run_that_names_it(
    bench: Bench, nas: Place, tmp_path: Path, where: dict[str, Any]
) -> None:
    """Two folders of the snapshot are one at the target: the later file is what both hold."""
    root = tmp_path / "twins"
    for name, text in (("one", "the first"), ("two", "the other")):
        (root / name / "in").mkdir(parents=True)
        (root / name / "in" / "file").write_text(text)
    (snapshot,) = await made(bench, root, nas)
    at = tmp_path / "back" / root.relative_to("/")
    (at / "one" / "in").mkdir(parents=True)
    (at / "two").symlink_to("one")

    run = await bench.outcome(
        restore_of(
            nas,
            snapshot,
            tmp_path / "back",
            files=(str(root / "one/in/file"), str(root / "two/in/file")),
            mode=RestoreMode.ALWAYS,
            verify=True,
            **where,
        )
    )

    assert run.status is RunStatus.FAILED
    assert run.failure is not None
    assert run.failure.code == "restore_unverified"
    assert "/in/file" in run.failure.message


# ---- never in place of what is there


async def test_a_link_that_a_selected_file_lies_in_is_not_replaced(
    bench: Bench, nas: Place, disguised: Path, tmp_path: Path
) -> None:
    """restic puts a folder in the place of a link that is right above a file, in every mode."""
    (snapshot,) = await made(bench, disguised, nas)
    disguised.rename(tmp_path / "moved")
    disguised.symlink_to(tmp_path / "moved")
    (disguised / "file").unlink()

    run = await bench.outcome(
        restore_of(nas, snapshot, Path("/"), files=(str(disguised / "file"),))
    )

    assert run.failure is not None
    assert run.failure.code == "would_overwrite"
    assert str(disguised) in run.failure.message
    assert disguised.is_symlink()


# ---- a plan


async def test_a_plan_counts_files_and_bytes_and_no_folders(
    bench: Bench, nas: Place, disguised: Path, where: dict[str, Any]
) -> None:
    (disguised / "gone").write_text("12345")
    (disguised / "as it was").write_text("123")
    (snapshot,) = await made(bench, disguised, nas)
    (disguised / "gone").unlink()
    (disguised / "file").write_text("mine")

    run = await bench.outcome(
        restore_of(nas, snapshot, Path("/"), mode=RestoreMode.IF_CHANGED, dry_run=True, **where)
    )

    plan = result_of(run).plan
    assert plan is not None
    assert (plan.restored, plan.restored_bytes) == (1, 5)
    assert (plan.updated, plan.updated_bytes) == (1, len("in the snapshot"))
    assert (plan.unchanged, plan.unchanged_bytes) == (1, 3)
    assert {(each.path, each.action) for each in plan.files} == {
        (str(disguised / "gone"), "restored"),
        (str(disguised / "file"), "updated"),
    }


# ---- killed


CHILD = """
import sys
sys.path[:] = sys.argv[1:]
import asyncio
from pathlib import Path
import msgspec
from holdfast.events.work import DestinationSecrets, RestoreRequested
from support.executor import Bench, Place

cache, work, secrets = msgspec.json.decode(
    sys.stdin.buffer.read(), type=tuple[str, RestoreRequested, DestinationSecrets]
)
bench = Bench(Path(cache)).knows(Place(work.address, secrets))
asyncio.run(bench.do(work))
"""


async def test_killed_in_the_middle_it_is_taken_up_again_and_whole(
    bench: Bench, nas: Place, tmp_path: Path
) -> None:
    data = pour(tmp_path / "data", 400)
    (snapshot,) = await made(bench, data, nas)
    back = tmp_path / "back"
    work = restore_of(nas, snapshot, back)
    child = subprocess.Popen([sys.executable, "-c", CHILD, *sys.path], stdin=subprocess.PIPE)
    assert child.stdin is not None
    child.stdin.write(msgspec.json.encode([str(bench.deps.cache), work, nas.secrets]))
    child.stdin.close()
    at = back / data.relative_to("/")
    await until(lambda: at.exists() and any(at.iterdir()), what="the first file is there")
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert differences(manifest(data), manifest(at)) != []

    bench.claim = 2
    run = await bench.outcome(work)

    result_of(run)
    assert differences(manifest(data), manifest(at)) == []
    assert not list((bench.deps.cache / "restores").glob("*"))
