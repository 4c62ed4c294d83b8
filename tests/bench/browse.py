"""``just bench browse``: looking into a snapshot of a million files while its repository is away.

Through gateway, bus and catalog, as a person's browser does.
"""

import argparse
import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from holdfast.cli.plain_restic import PlainRestic
from support.house import House, wait_until


def make_tree(root: Path, files: int, in_folder: int) -> list[str]:
    """Empty files, in folders of two levels; the folders."""
    folders = []
    for number in range(0, files, in_folder):
        folder = root / f"{number // in_folder % 97:02}" / f"{number // in_folder:05}"
        folder.mkdir(parents=True)
        for each in range(min(in_folder, files - number)):
            (folder / f"photo-{number + each:07}.jpg").touch()
        folders.append(str(folder))
    return folders


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--in-folder", type=int, default=250)
    parser.add_argument("--looks", type=int, default=500)
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="holdfast-bench-"))
    house = House(scratch / "house", HOLDFAST_LOG_LEVEL="WARNING")
    try:
        folders = make_tree(scratch / "data", options.files, options.in_folder)
        plain = PlainRestic(scratch / "plain")
        plain_backup = plain.time_backup(scratch / "data")
        house.start()
        api = house.api
        api.local("nas", scratch / "nas")
        tie = api.default_configuration(api.app("photos", scratch / "data"))
        began = time.monotonic()
        run_id = api.start(tie)["run_id"]
        wait_until(lambda: api.snapshots(status="success"), seconds=3600, what="the snapshot")
        made = time.monotonic() - began
        assert api.outcome(run_id, seconds=3600)["status"] == "success"
        listed = time.monotonic() - began - made
        (snapshot,) = api.snapshots()
        shutil.move(scratch / "nas", scratch / "away")

        dice = random.Random(20_26)
        took = []
        for _ in range(options.looks):
            start = time.perf_counter()
            page = api.get(
                f"/backup/snapshots/{snapshot['id']}/files", path=dice.choice(folders), limit=500
            )
            took.append(time.perf_counter() - start)
            assert len(page["files"]) >= 1
        took.sort()
        print(f"\n{options.files} files, {len(folders)} folders, {options.looks} looks\n")
        print("| what | |\n|---|---|")
        print(f"| plain restic backup | {plain_backup:.1f} s |")
        print(f"| backup through Holdfast, until the snapshot is told | {made:.1f} s |")
        print(f"| telling its files, after that | {listed:.1f} s |")
        print(f"| a folder, median | {statistics.median(took) * 1000:.0f} ms |")
        print(f"| a folder, 95th percentile | {took[int(len(took) * 0.95)] * 1000:.0f} ms |")
    finally:
        house.kill()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
