"""``just bench relay``: a backup through an append-only relay against the same one direct.

Local and S3 (``rclone serve s3``), in one run, each pair in turns; random data, so that neither
compression nor what is stored already hides the way.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from holdfast.devices.local import LocalRunner
from holdfast.kernel.secret import Secret
from holdfast.restic import Repository, Restic, S3Access
from holdfast.restic.binary import find_restic
from holdfast.restic.commands import backup, init
from holdfast.storage.base import LocalTarget, S3Target, Target
from holdfast.storage.rclone import find_rclone
from holdfast.storage.registry import open_backend
from holdfast.storage.relay import open_relay
from support.servers import RcloneS3

PASSWORD = Secret("only-for-this-benchmark")


async def backed_up(target: Target, data: Path, cache: Path, *, relayed: bool) -> float:
    """Seconds of a first backup, with the relay's start and end if there is one."""
    runner = LocalRunner()
    s3 = None
    if isinstance(target, S3Target):
        s3 = S3Access(access_key=target.access_key, secret_key=target.secret_key)
    direct = Repository(
        url=open_backend(target).repository_url, password=PASSWORD, s3=s3, cache_dir=str(cache)
    )
    await init.run(Restic(find_restic(), runner, direct))
    os.sync()
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        repository = direct
        if relayed:
            opened = open_relay(find_rclone(), runner, target, append_only=True)
            relay = await stack.enter_async_context(opened)
            repository = Repository(
                url=relay.repository_url(), password=PASSWORD, cache_dir=str(cache)
            )
        options = backup.BackupOptions(paths=(str(data),))
        await backup.run(Restic(find_restic(), runner, repository), options)
    return time.monotonic() - began


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="holdfast-bench-"))
    server = await asyncio.to_thread(RcloneS3(scratch / "s3").start)
    server.make_bucket("bench")
    data = scratch / "data"
    data.mkdir()
    for number in range(options.mebibytes // 32):
        (data / f"file{number}").write_bytes(os.urandom(32 << 20))

    def target(kind: str, name: str) -> Target:
        if kind == "local":
            return LocalTarget(path=str(scratch / name))
        return S3Target(
            endpoint=server.endpoint,
            bucket="bench",
            region="us-east-1",
            access_key=Secret(server.access_key),
            secret_key=Secret(server.secret_key),
            prefix=name,
        )

    try:
        print(f"\n{options.mebibytes} MiB, {options.rounds} rounds, medians\n")
        print("| destination | direct | through the relay | throughput |\n|---|---|---|---|")
        for kind in ("local", "s3"):
            seconds: dict[bool, list[float]] = {False: [], True: []}
            for number in range(options.rounds):
                for relayed in (False, True) if number % 2 else (True, False):
                    place = target(kind, f"{kind}-{number}-{relayed}")
                    took = await backed_up(place, data, scratch / "cache", relayed=relayed)
                    seconds[relayed].append(took)
                    folder = scratch / "s3" / "bench" if kind == "s3" else scratch
                    shutil.rmtree(folder / f"{kind}-{number}-{relayed}")
            direct, relay = (statistics.median(seconds[each]) for each in (False, True))
            print(f"| {kind} | {direct:.2f} s | {relay:.2f} s | {direct / relay:.2f} × |")
    finally:
        server.stop()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    asyncio.run(main())
