"""``just bench``: a backup through Holdfast beside plain restic, in one run, as ratios.

The same data, the same disk, alternating, the median of the rounds.  Holdfast is timed
as a person sees it: from the request to the outcome in the API.
"""

import argparse
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from holdfast.cli.plain_restic import PlainRestic
from support.house import House

MIB = 1024 * 1024


def make_data(root: Path, mebibytes: int) -> Path:
    """Files of many sizes; three in ten compress, the rest do not (as media does not)."""
    dice = random.Random(20_26)
    words = [dice.randbytes(6).hex().encode() for _ in range(4000)]
    left, number = mebibytes * MIB, 0
    while left > 0:
        size = min(left, dice.choice((4_000, 30_000, 300_000, 3 * MIB, 24 * MIB)))
        folder = root / f"{number % 40:02}"
        folder.mkdir(parents=True, exist_ok=True)
        if number % 10 < 3:
            text = b" ".join(dice.choices(words, k=size // 13 + 1))
            content = text[:size]
        else:
            content = dice.randbytes(size)
        (folder / f"{number}.bin").write_bytes(content)
        left -= size
        number += 1
    return root


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def resident_mebibytes(pid: int) -> tuple[float, int]:
    """Proportional memory of a process and all below it, and how many they are."""
    family, total = [pid], 0
    for each in family:
        try:
            for task in Path(f"/proc/{each}/task").iterdir():
                family += [int(child) for child in (task / "children").read_text().split()]
            rollup = Path(f"/proc/{each}/smaps_rollup").read_text()
        except OSError:
            continue
        total += int(rollup.split("Pss:")[1].split()[0])
    return total / 1024, len(family)


class Bench:
    """The rounds, and the table they print."""

    def __init__(self, scratch: Path, mebibytes: int, rounds: int) -> None:
        self.scratch = scratch
        self.rounds = rounds
        self.data = make_data(scratch / "data", mebibytes)
        self.mebibytes = mebibytes

    def run(self) -> None:
        first_plain, first_ours, same_plain, same_ours = [], [], [], []
        house = House(self.scratch / "house", HOLDFAST_LOG_LEVEL="WARNING")
        cold_start = seconds(house.start)
        api = house.api
        for number in range(self.rounds):
            plain = PlainRestic(self.scratch / f"plain{number}")
            place = api.local(f"nas{number}", self.scratch / f"nas{number}")
            policy = api.policy(f"policy{number}", place)
            app = api.app(f"app{number}", self.data)
            configuration = api.configuration(app, policy)
            os.sync()
            first_plain.append(plain.time_backup(self.data))
            os.sync()
            first_ours.append(self.back_up(house, configuration))
            for _ in range(3):
                same_plain.append(plain.time_backup(self.data))
                same_ours.append(self.back_up(house, configuration))
            shutil.rmtree(self.scratch / f"plain{number}")
            shutil.rmtree(self.scratch / f"nas{number}")
        house.stop()
        warm_start = seconds(house.start)
        time.sleep(5)  # idle is what is left once start-up's work is done
        memory, processes = resident_mebibytes(house.process.popen.pid)
        house.stop()

        print(f"\n{self.mebibytes} MiB, {self.rounds} rounds, medians\n")
        print("| what | plain restic | Holdfast | ratio |")
        print("|---|---|---|---|")
        self.row("first backup", first_plain, first_ours)
        self.row("backup with no change", same_plain, same_ours)
        print()
        print("| `holdfast up` | |")
        print("|---|---|")
        print(f"| first start to ready | {cold_start:.2f} s |")
        print(f"| second start to ready | {warm_start:.2f} s |")
        print(
            f"| idle memory (PSS) of {processes} processes, servers included | {memory:.0f} MiB |"
        )

    @staticmethod
    def row(what: str, plain: list[float], ours: list[float]) -> None:
        one, two = statistics.median(plain), statistics.median(ours)
        print(f"| {what} | {one:.2f} s | {two:.2f} s | {two / one:.2f} × |")

    @staticmethod
    def back_up(house: House, configuration: dict[str, object]) -> float:
        """Request to outcome, as the API tells it; asked often enough not to be the measure."""

        def once() -> None:
            run_id = house.api.start(configuration)["run_id"]
            while (run := house.api.run(run_id))["status"] in ("queued", "in_progress"):
                time.sleep(0.01)
            assert run["status"] == "success", run

        return seconds(once)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="holdfast-bench-"))
    try:
        Bench(scratch, options.mebibytes, options.rounds).run()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
