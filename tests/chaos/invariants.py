"""What must be true once everything has settled, whatever was killed before."""

import asyncio
import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg
import nats

from chaos.broken import demand
from chaos.cluster import Cluster
from chaos.load import CLOCKED, PASSWORD, Load
from holdfast.restic.binary import find_restic
from holdfast.restic.tags import MANIFEST
from support.house import OUTCOMES, restic_processes
from support.trees import differences, manifest

SETTLE_SECONDS = 60.0
MADE = {"success", "partial"}


def settle(cluster: Cluster, load: Load) -> float:
    """Wait until nothing is left to do; the seconds that took.  Raises BrokenError."""
    start = time.monotonic()
    while left := what_is_left(cluster, load):
        demand(time.monotonic() - start < SETTLE_SECONDS, "everything settles", left)
        time.sleep(0.2)
    return time.monotonic() - start


def what_is_left(cluster: Cluster, load: Load) -> str:
    """What still goes on or waits, in a few words; empty when all is still."""
    try:
        cluster.wait_until_ready()
        runs = load.all_of("/backup/runs", "runs")
        going = [f"{each['operation']} {each['id']}" for each in runs if not has_ended(each)]
        if going:
            return f"no outcome yet: {', '.join(going)}"
        return patient(lambda: unread(cluster.nats_url)) or patient(
            lambda: unsaid(cluster.postgres_dsn)
        )
    except (OSError, TimeoutError, nats.errors.Error, asyncpg.PostgresError) as error:
        return f"a server is away: {error!r}"


def patient(question: Callable[[], Coroutine[Any, Any, str]]) -> str:
    return asyncio.run(asyncio.wait_for(question(), 10))


def has_ended(run: Any) -> bool:
    return run["status"] in OUTCOMES


async def unread(url: str) -> str:
    """Messages that some service has not taken note of yet."""
    async with await nats.connect(url, allow_reconnect=False) as client:
        context = client.jetstream()
        work = (await context.stream_info("WORK")).state.messages
        waiting = {
            each.name: (each.num_pending, each.num_ack_pending)
            for each in await context.consumers_info("FACTS")
            # The gateway's own place in the stream is not one that is kept.
            if each.config.durable_name and (each.num_pending or each.num_ack_pending)
        }
    return f"WORK has {work}, FACTS (pending, unacknowledged): {waiting}" if work or waiting else ""


async def unsaid(dsn: str) -> str:
    """Events in the outbox."""
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        count = await connection.fetchval("select count(*) from outbox")
    finally:
        await connection.close()
    return f"{count} events in the outbox" if count else ""


def check(cluster: Cluster, load: Load) -> None:
    """Every invariant in turn.  Raises BrokenError."""
    check_runs(load)
    check_ledger(load)
    rows = load.all_of("/backup/snapshots", "snapshots")
    for name, destination in load.repositories.items():
        place = Path(destination["local_path"])
        own = [row for row in rows if row["destination_id"] == destination["id"]]
        check_snapshots(name, own, snapshots_in(place))
        left = list((place / "locks").iterdir())
        demand(not left, "no lock is left", f"{name}: {left}")
    demand(
        not restic_processes(str(load.folder)),
        "no restic is left",
        restic_processes(str(load.folder)),
    )
    check_dead_letters(cluster)
    for keeper in cluster.services.values():
        demand(not keeper.gave_up, "no service ends by itself", f"{keeper.name}: {keeper.tail()}")
    check_restores(load, rows)
    for name, destination in load.repositories.items():
        damage = restic(Path(destination["local_path"]), "check", "--read-data")
        demand(damage.returncode == 0, "every repository is whole", f"{name}: {damage.stderr}")


def check_runs(load: Load) -> None:
    runs = {each["id"]: each for each in load.all_of("/backup/runs", "runs")}
    lost = load.contents.keys() - runs.keys()
    demand(not lost, "every run that was promised is there", lost)
    open_ = [each for each in runs.values() if not has_ended(each)]
    demand(not open_, "every run has an outcome", open_)
    # Nothing was wrong with a destination: what was killed is taken up, and is no failure.
    bad = [each for each in runs.values() if each["status"] != "success"]
    demand(not bad, "every run succeeds in the end", bad)


def check_ledger(load: Load) -> None:
    """Every minute has its row, and no due time has two runs, nor a run two due times."""
    runs = {each["id"]: each for each in load.all_of("/backup/runs", "runs")}
    started = Counter(
        (each["configuration_id"], each["scheduled_for"])
        for each in runs.values()
        if each["scheduled_for"] is not None
    )
    doubled = [due for due, count in started.items() if count > 1]
    demand(not doubled, "no due time has two runs", doubled)
    for name in CLOCKED:
        rows = load.ledger(name)
        times = [datetime.fromisoformat(each["scheduled_for"]) for each in rows]
        gaps = [(old, new) for new, old in pairwise(times) if new - old != timedelta(minutes=1)]
        demand(not gaps, "every due time has its row", f"{name}: {gaps}")
        fired = [each["run_id"] for each in rows if each["outcome"] == "fired"]
        demand(fired, "what is due is backed up", name)
        wrong = [
            each
            for each in rows
            if each["outcome"] == "fired"
            and runs[each["run_id"]]["scheduled_for"] != each["scheduled_for"]
        ]
        demand(not wrong, "the run of a due time is its own", f"{name}: {wrong}")


def check_snapshots(name: str, rows: list[Any], found: list[Any]) -> None:
    """The catalog's rows of one repository, and what is in it."""
    for row in rows:
        demand(row["status"] in OUTCOMES, "every snapshot has an outcome", row)
        tagged = [each["id"] for each in found if f"run:{row['run_id']}" in each["tags"]]
        demand(len(tagged) <= 1, "no snapshot is doubled", f"{name}, {row['run_id']}: {tagged}")
        wanted = [row["restic_snapshot_id"]] if row["status"] in MADE else []
        wanted = [] if row["forgotten_at"] else wanted
        demand(
            tagged == wanted,
            "the catalog's snapshot is the repository's",
            f"{name}: {tagged} in the repository, {row}",
        )
    recorded = {row["restic_snapshot_id"] for row in rows if not row["forgotten_at"]} - {None, ""}
    present = {each["id"] for each in found}
    demand(
        recorded == present,
        "the API's snapshots are the repository's",
        f"{name}: only recorded {recorded - present}, only present {present - recorded}",
    )


def check_dead_letters(cluster: Cluster) -> None:
    dead = asyncio.run(dead_letters(cluster.nats_url))
    demand(not dead, "no dead letters", dead)


async def dead_letters(url: str) -> list[dict[str, str]]:
    """The headers of each, with the reason."""
    async with await nats.connect(url) as client:
        context = client.jetstream()
        state = (await context.stream_info("DEAD")).state
        return [
            dict((await context.get_msg("DEAD", number)).headers or {})
            for number in range(state.first_seq, state.last_seq + 1)
            if state.messages
        ]


def check_restores(load: Load, rows: list[Any]) -> None:
    """One snapshot of each repository, as the dice want it."""
    for name, destination in load.repositories.items():
        whole = [
            row
            for row in rows
            if row["destination_id"] == destination["id"]
            and row["status"] == "success"
            and not row["forgotten_at"]
            and row["run_id"] in load.contents
        ]
        demand(whole, "something was backed up", name)
        row = load.dice.choice(sorted(whole, key=lambda each: str(each["started_at"])))
        target = load.folder / "restored" / name
        load.api.restore(row, target)
        back = manifest(target / str(row["paths"][0]).lstrip("/"))
        wrong = differences(load.contents[row["run_id"]], back)
        demand(not wrong, "what is restored is what was backed up", f"{name}, {row['id']}: {wrong}")


def snapshots_in(place: Path) -> list[Any]:
    listed = restic(place, "snapshots")
    demand(listed.returncode == 0, "every repository opens", listed.stderr)
    return [
        {"id": each["id"], "tags": each.get("tags") or []}
        for each in json.loads(listed.stdout) or []
        # The settings that a repository carries are no app's.
        if MANIFEST not in (each.get("tags") or [])
    ]


def restic(place: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """restic itself, which is no part of Holdfast and leaves no lock."""
    return subprocess.run(
        [find_restic(), "--json", "--no-lock", "--no-cache", "--repo", place, *command],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(place), "RESTIC_PASSWORD": PASSWORD},
    )
