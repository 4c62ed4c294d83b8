"""What a destination's limits and its append-only relay come to on a real restic."""

import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from holdfast.devices.base import Process, Program
from holdfast.devices.local import LocalRunner
from holdfast.events.limits import Compression, Limits, RateWindow
from holdfast.events.run import RunStatus
from holdfast.events.snapshot import SnapshotCompleted
from holdfast.events.work import ForgetAdmitted, PruneAdmitted
from holdfast.executor.attempt import notes_in
from holdfast.restic.commands import check, locks, snapshots
from support.executor import Bench, Place, backup_of, until, work_of

pytestmark = pytest.mark.restic
MIB = 1 << 20


class Watching(LocalRunner):
    """Remembers what was started."""

    def __init__(self, notes: Path) -> None:
        super().__init__(notes=notes)
        self.programs: list[Program] = []

    @asynccontextmanager
    async def start(self, program: Program) -> AsyncIterator[Process]:
        self.programs.append(program)
        async with super().start(program) as process:
            yield process

    def argv(self, word: str) -> list[str]:
        """Of the one program that was started with *word*."""
        (found,) = [each for each in self.programs if word in each.argv]
        return list(found.argv)


@pytest.fixture
def runner(tmp_path: Path) -> Watching:
    return Watching(notes_in(tmp_path / "cache"))


@pytest.fixture
def bench(tmp_path: Path, runner: Watching) -> Bench:
    return Bench(tmp_path / "cache", runner=runner)


def limited(place: Place, bench: Bench, *, append_only: bool = False, **limits: object) -> Place:
    """The same place, used otherwise from now on."""
    address = msgspec.structs.replace(
        place.address,
        limits=msgspec.convert(limits, Limits) if limits else place.address.limits,
        append_only=append_only,
    )
    changed = Place(address, place.secrets)
    bench.knows(changed)
    return changed


@pytest.mark.parametrize(
    ("hour", "rates"), [(11, ("5000000", "1000000")), (13, ("7000000", "2000000"))]
)
async def test_restic_is_started_with_the_rates_of_the_hour(
    nas: Place, bench: Bench, runner: Watching, data: Path, hour: int, rates: tuple[str, str]
) -> None:
    day = RateWindow(start="00:00", end="12:00", upload_kib=5_000_000, download_kib=1_000_000)
    night = RateWindow(start="12:00", end="00:00", upload_kib=7_000_000, download_kib=2_000_000)
    limits = msgspec.to_builtins(Limits(windows=(day, night), timezone="UTC"))
    place = limited(nas, bench, **limits)
    now = datetime(2026, 1, 10, hour, tzinfo=UTC)
    bench.deps = replace(bench.deps, now=lambda: now)

    await bench.outcome(backup_of([data], place))

    argv = runner.argv("backup")
    assert argv[argv.index("--limit-upload") + 1] == rates[0]
    assert argv[argv.index("--limit-download") + 1] == rates[1]


async def test_compression_and_pack_size_are_in_the_repository(
    nas: Place, bench: Bench, tmp_path: Path
) -> None:
    wide = tmp_path / "wide"
    wide.mkdir()
    (wide / "zeros-and-words").write_bytes(b"".join(b"%032d\n" % n for n in range(700_000)))

    stored = {}
    for compression in (Compression.OFF, Compression.MAX):
        place = limited(nas, bench, compression=compression.value, pack_size_mib=4)
        before = {each: each.stat().st_size for each in place.files("data")}
        (wide / "which").write_text(compression.value)
        run = await bench.outcome(backup_of([wide], place))
        assert run.status is RunStatus.SUCCESS
        packs = [each for each in place.files("data") if each not in before]
        stored[compression] = sum(each.stat().st_size for each in packs)
        if compression is Compression.OFF:
            assert len([each for each in packs if each.stat().st_size > 4 * MIB]) >= 4
            # Forget it all, so that the next one has to store it again.
            (made,) = bench.said(SnapshotCompleted)
            await bench.outcome(
                work_of(
                    ForgetAdmitted,
                    place,
                    configuration_id=made.configuration_id,
                    restic_snapshot_ids=(made.restic_snapshot_id,),
                )
            )
            await bench.outcome(work_of(PruneAdmitted, place))

    assert stored[Compression.OFF] > 22 * MIB
    assert stored[Compression.MAX] < stored[Compression.OFF] / 4


async def test_a_backup_to_an_append_only_destination_goes_through_the_relay(
    place: Place, bench: Bench, runner: Watching, data: Path
) -> None:
    guarded = limited(place, bench, append_only=True)
    runner.programs.clear()

    run = await bench.outcome(backup_of([data], guarded))

    assert run.status is RunStatus.SUCCESS, run.failure
    assert "--append-only" in runner.argv("serve")
    (restic,) = [each for each in runner.programs if "backup" in each.argv]
    assert restic.secrets["RESTIC_REPOSITORY_FILE"].reveal().startswith("rest:http://holdfast:")
    assert "AWS_SHARED_CREDENTIALS_FILE" not in restic.secrets
    direct = bench.restic(place)
    assert len(await snapshots.run(direct)) == 1
    assert await locks.run(direct) == ()


async def test_forget_and_prune_of_an_append_only_destination_go_direct(
    nas: Place, bench: Bench, runner: Watching, data: Path
) -> None:
    guarded = limited(nas, bench, append_only=True)
    await bench.outcome(backup_of([data], guarded))
    (made,) = bench.said(SnapshotCompleted)
    runner.programs.clear()

    forgotten = await bench.outcome(
        work_of(
            ForgetAdmitted,
            guarded,
            configuration_id=made.configuration_id,
            restic_snapshot_ids=(made.restic_snapshot_id,),
        )
    )
    pruned = await bench.outcome(work_of(PruneAdmitted, guarded))

    assert (forgotten.status, pruned.status) == (RunStatus.SUCCESS, RunStatus.SUCCESS)
    assert not [each for each in runner.programs if "serve" in each.argv]
    assert guarded.files("data") == []


async def test_a_backup_whose_relay_dies_fails_at_once_and_may_be_tried_again(
    nas: Place, bench: Bench, runner: Watching, tmp_path: Path
) -> None:
    slow = limited(nas, bench, append_only=True, upload_kib=64)
    big = tmp_path / "big"
    big.write_bytes(bytes(range(256)) * (8 << 12))
    work = backup_of([big], slow)

    async with bench.doing(work) as doing:
        await until(lambda: [each for each in runner.programs if "backup" in each.argv])
        await until(lambda: _kill(str(work.run_id)), what="rclone is there")
        await doing
        assert not doing.exception()

    (run,) = [each for each in bench.outcomes if getattr(each, "operation", None) == "backup"]
    assert run.failure.code == "relay_ended"
    assert run.failure.retryable
    await check.run(bench.restic(nas))


async def test_a_cancelled_executor_leaves_no_rclone(
    nas: Place, bench: Bench, runner: Watching, tmp_path: Path
) -> None:
    slow = limited(nas, bench, append_only=True, upload_kib=64)
    big = tmp_path / "big"
    big.write_bytes(bytes(range(256)) * (8 << 12))
    work = backup_of([big], slow)

    async with bench.doing(work):
        await until(lambda: [each for each in runner.programs if "backup" in each.argv])
        assert _rclones(str(work.run_id))

    assert not _rclones(str(work.run_id))


def _rclones(run_id: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if (
                entry.name.isdecimal()
                and (entry / "comm").read_text() == "rclone\n"
                and f"HOLDFAST_RUN={run_id}".encode() in (entry / "environ").read_bytes()
            ):
                found.append(int(entry.name))
    return found


def _kill(run_id: str) -> bool:
    found = _rclones(run_id)
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    return bool(found)
