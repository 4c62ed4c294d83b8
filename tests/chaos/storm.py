"""``just chaos``: backups while everything is killed at random, then what must be true.

Services are processes of their own, as they would be on several machines.  The same seed
gives the same backups and the same order of kills; their moments, and which of the executors
is hit, depend on the machine.
"""

import argparse
import random
import secrets
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from chaos.broken import BrokenError
from chaos.cluster import VICTIMS, Cluster
from chaos.invariants import check, settle
from chaos.load import Load
from support.house import Api

LONGEST_WAIT_SECONDS = 6.0
"""The next fault comes by then, also when no backup was started meanwhile."""


@dataclass
class Report:
    """What happened, for whoever reads it."""

    seed: int
    runs: int = 0
    kills: list[str] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    restarts: dict[str, int] = field(default_factory=dict)
    storm_seconds: float = 0
    settle_seconds: float = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    takeovers: int = 0

    def __str__(self) -> str:
        return "\n".join(
            (
                f"seed {self.seed}",
                f"{self.runs} backups asked for, {len(self.kills)} kills: {counted(self.kills)}",
                f"{self.storm_seconds:.0f} s of storm, still after {self.settle_seconds:.1f} s",
                f"runs: {counted(self.outcomes)}; taken over: {self.takeovers}",
                f"requests refused: {counted(self.refusals) or 'none'}",
                f"ended while starting: {counted(self.restarts) or 'none'}",
            )
        )


def counted(what: "list[str] | Counter[str] | dict[str, int]") -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(Counter(what).items()) if count)


class Faults:
    """Kills spread over the backups, some of them close together."""

    def __init__(self, cluster: Cluster, count: int, runs: int, seed: int) -> None:
        self.killed: list[str] = []
        self._cluster = cluster
        self._count = count
        self._runs = runs
        self._dice = random.Random(f"{seed} faults")
        self._next = time.monotonic() + self._pause()
        self._latest = time.monotonic() + LONGEST_WAIT_SECONDS

    @property
    def over(self) -> bool:
        return len(self.killed) >= self._count

    def step(self, started: int) -> None:
        """Kill one, if it is time."""
        now = time.monotonic()
        is_turn = started * self._count >= len(self.killed) * self._runs or now > self._latest
        if self.over or not is_turn or now < self._next:
            return
        victim = self._dice.choice(VICTIMS)
        if victim.startswith("executor"):
            victim = self._cluster.busy_executor() or victim
        print(f"{time.strftime('%H:%M:%S')} kill {victim}", file=sys.stderr, flush=True)
        self._cluster.kill(victim)
        self.killed.append(victim)
        self._next = time.monotonic() + self._pause()
        self._latest = time.monotonic() + LONGEST_WAIT_SECONDS

    def _pause(self) -> float:
        return self._dice.uniform(0, self._dice.choice((0.3, 1.0, 3.0)))


def storm(
    folder: Path, *, runs: int, faults: int, seed: int, report: Report | None = None
) -> Report:
    """Run it below an empty *folder*.  Raises BrokenError with the invariant's name."""
    report = report or Report(seed)
    cluster = Cluster(folder, HOLDFAST_CLAIM_SECONDS="3").start()
    try:
        api = Api(cluster.services["rest"].address, cluster.token)
        try:
            load = Load(api, folder, seed)
            load.prepare()
            _blow(cluster, load, Faults(cluster, faults, runs, seed), runs, report)
            load.stop_the_clock()
            report.settle_seconds = settle(cluster, load)
            _look(load, report)
            check(cluster, load)
        finally:
            api.close()
    finally:
        report.restarts = {name: each.gave_up_starting for name, each in cluster.services.items()}
        cluster.stop()
    return report


def _blow(cluster: Cluster, load: Load, faults: Faults, runs: int, report: Report) -> None:
    """Backups and kills, until there were enough of both."""
    start = time.monotonic()
    report.kills, report.refusals = faults.killed, load.refusals
    while len(load.contents) < runs or not faults.over:
        faults.step(len(load.contents))
        if len(load.contents) >= runs or not load.start_one():
            time.sleep(0.05)
    report.runs = len(load.contents)
    report.storm_seconds = time.monotonic() - start


def _look(load: Load, report: Report) -> None:
    runs = load.all_of("/backup/runs", "runs")
    report.outcomes = Counter(f"{each['operation']} {each['status']}" for each in runs)
    report.takeovers = sum(each["claim"] > 1 for each in runs)


def main() -> int:
    parser = argparse.ArgumentParser(prog="just chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=60, help="backups to ask for")
    parser.add_argument("--faults", type=int, default=30, help="kills")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10_000))
    parser.add_argument("--keep", type=Path, help="an empty folder to work in, and to leave")
    given = parser.parse_args()
    report = Report(given.seed)
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="holdfast-chaos-") as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            storm(folder, runs=given.runs, faults=given.faults, seed=given.seed, report=report)
        except BrokenError as error:
            print(f"{report}\nBROKEN: {error}")
            return 1
    print(f"{report}\nevery invariant holds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
