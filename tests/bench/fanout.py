"""``just bench fanout``: one, two and three local destinations beside plain restic to one.

A first backup, which is the costly one, and one after 2 % of the files changed; each way and
number of destinations with repositories of its own.  Printed as seconds and as ratios to
plain restic in the same round; the median of the rounds.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from main_job import make_data

from holdfast.events.run import RunStatus
from holdfast.events.snapshot import SnapshotCompleted
from holdfast.events.work import FanOut
from holdfast.restic.commands import backup
from holdfast.restic.commands.backup import BackupOptions
from support.executor import Bench, Place, backup_of, local_place

NUMBERS = (1, 2, 3)
TARGET = 1.5
"""Three mirrored destinations against one."""


async def places(bench: Bench, root: Path, number: int) -> list[Place]:
    """New repositories, the later ones of the first one's family."""
    made: list[Place] = []
    for index in range(number):
        parent = root / f"{index}"
        parent.mkdir(parents=True)
        first = made[0] if made else None
        made.append(await bench.initialise(local_place(parent, f"d{index}"), first=first))
    return made


async def holdfast(bench: Bench, data: Path, where: list[Place], fan_out: FanOut) -> float:
    """Seconds of one backup to all of them, as an executor does it."""
    work = backup_of([data], *where, fan_out=fan_out)
    start = time.perf_counter()
    run = await bench.outcome(work)
    took = time.perf_counter() - start
    assert run.status is RunStatus.SUCCESS, run.failure
    said = [each for each in bench.said(SnapshotCompleted) if each.run_id == work.run_id]
    assert len(said) == len(where)
    return took


async def plain(bench: Bench, data: Path, where: Place) -> float:
    """Seconds of restic alone."""
    start = time.perf_counter()
    await backup.run(bench.restic(where), BackupOptions(paths=(str(data),)))
    return time.perf_counter() - start


def change(data: Path, number: int) -> None:
    """Two files of a hundred get another content."""
    for index, path in enumerate(sorted(each for each in data.rglob("*") if each.is_file())):
        if index % 50 == number % 50:
            path.write_bytes(os.urandom(path.stat().st_size))


async def measure(root: Path, data: Path, round_: int) -> dict[tuple[str, str], float]:
    """One round: the first backup and one after changes, each way."""
    bench = Bench(root / "cache")
    took: dict[tuple[str, str], float] = {}
    alone = (await places(bench, root / "plain", 1))[0]
    repositories = {
        (fan_out, number): await places(bench, root / f"{fan_out.value}-{number}", number)
        for fan_out in FanOut
        for number in NUMBERS
    }
    for kind in ("first", "2 % changed"):
        if kind != "first":
            change(data, round_)
        await asyncio.to_thread(read_all, data)
        took[kind, "plain restic × 1"] = await plain(bench, data, alone)
        for (fan_out, number), where in repositories.items():
            os.sync()
            took[kind, f"{fan_out.value} × {number}"] = await holdfast(bench, data, where, fan_out)
    return took


def read_all(data: Path) -> None:
    """So that nobody is the one who warms the cache for the others."""
    for path in data.rglob("*"):
        if path.is_file():
            path.read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        data = make_data(Path(folder) / "data", options.mebibytes)
        for round_ in range(options.rounds):
            measured = asyncio.run(measure(Path(folder) / f"round{round_}", data, round_))
            for key, seconds in measured.items():
                found[key].append(seconds)
    print(f"{options.mebibytes} MiB, {os.cpu_count()} cores, median of {options.rounds}")
    for kind in ("first", "2 % changed"):
        base = statistics.median(found[kind, "plain restic × 1"])
        for (of, name), each in found.items():
            if of == kind:
                seconds = statistics.median(each)
                print(f"{kind:12} {name:18} {seconds:7.2f} s  {seconds / base:5.2f} ×")
    three = statistics.median(found["first", "mirror × 3"])
    one = statistics.median(found["first", "mirror × 1"])
    print(f"three mirrored against one: {three / one:.2f} × (target: at most {TARGET})")


if __name__ == "__main__":
    main()
