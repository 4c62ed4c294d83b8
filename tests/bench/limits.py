"""``just bench limits``: the rate that a backup and a restore really had, against their limit."""

import argparse
import asyncio
import os
import shutil
import tempfile
import time
from pathlib import Path

from msgspec.structs import replace

from holdfast.devices.local import LocalRunner
from holdfast.kernel.secret import Secret
from holdfast.restic import Repository, Restic
from holdfast.restic.binary import find_restic
from holdfast.restic.commands import backup, init, restore
from holdfast.restic.commands.restore import RestoreOptions
from holdfast.storage.base import LocalTarget
from holdfast.storage.rclone import find_rclone
from holdfast.storage.relay import open_relay


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=24)
    parser.add_argument("--kib", type=int, default=4096, help="the limit, KiB a second")
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="holdfast-bench-"))
    data = scratch / "data"
    data.write_bytes(os.urandom(options.mebibytes << 20))
    kib = options.mebibytes << 10
    runner, restic = LocalRunner(), find_restic()
    limited = Repository(
        url=str(scratch / "direct"),
        password=Secret("only-for-this-benchmark"),
        cache_dir=str(scratch / "cache"),
        upload_limit=options.kib,
        download_limit=options.kib,
    )

    async def told(way: str, repository: Repository) -> None:
        working = Restic(restic, runner, repository)
        await init.run(working)
        began = time.monotonic()
        made = await backup.run(working, backup.BackupOptions(paths=(str(data),)))
        up = kib / (time.monotonic() - began)
        began = time.monotonic()
        target = str(scratch / f"restored-{way}")
        await restore.run(working, RestoreOptions(snapshot=made.snapshot_id, target=target))
        down = kib / (time.monotonic() - began)
        print(f"| {way} | {up:.0f} KiB/s | {down:.0f} KiB/s | {options.kib} KiB/s |")

    try:
        print(f"\n{options.mebibytes} MiB\n\n| way | backup | restore | limit |\n|---|---|---|---|")
        await told("direct", limited)
        target = LocalTarget(path=str(scratch / "relayed"))
        async with open_relay(find_rclone(), runner, target, append_only=True) as relay:
            await told("relay", replace(limited, url=relay.repository_url()))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    asyncio.run(main())
