"""``holdfast demo``: a folder of yours backed up, encrypted, lost, and restored byte for byte.

Nothing of it is played: it starts the real thing (``holdfast up``) in a scratch
directory and talks to it by REST, as you would.  Only the loss is arranged: a copy
of the folder is what gets backed up and deleted, never the folder itself.
"""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from holdfast.cli.client import GatewayClient
from holdfast.cli.commands import Configurations, Devices, size
from holdfast.cli.follow import follow_run
from holdfast.cli.manifest import Entry, differences, manifest
from holdfast.cli.plain_restic import PlainRestic
from holdfast.events.run import RunStatus
from holdfast.events.views import (
    AppView,
    BackupStarted,
    DestinationView,
    RunAccepted,
    RunView,
    SnapshotView,
)
from holdfast.kernel.errors import HoldfastError, InvalidRequestError, UnavailableError


def demo(path: Path | None, *, keep: bool) -> int:
    """Run it; 0 only if every byte, mode, owner, time and link came back."""
    out = Console(highlight=False, soft_wrap=True)
    source = (path or Path(sysconfig.get_path("stdlib"))).absolute()
    if not source.is_dir():
        raise InvalidRequestError(f"{source} is not a directory.", guidance="Name a folder.")
    scratch = Path(tempfile.mkdtemp(prefix="holdfast-demo-"))
    try:
        return Demo(scratch, out).run(source)
    finally:
        if keep:
            out.print(f"Left for a look: {scratch}")
        else:
            shutil.rmtree(scratch, ignore_errors=True)


class Demo:
    """The steps, in order."""

    def __init__(self, scratch: Path, out: Console) -> None:
        self.scratch = scratch
        self.out = out
        self.copy = scratch / "your-data"
        self.nas = scratch / "nas"

    def run(self, source: Path) -> int:
        self.out.print(f"[bold]1. A copy of {source}[/bold], so that losing it hurts nobody")
        before = self.take_copy(source)
        with running_holdfast(self.scratch / "holdfast") as client:
            self.out.print("[bold]2. Back up[/bold]")
            snapshot, seconds = self.back_up(client)
            plain = PlainRestic(self.scratch / "plain").time_backup(self.copy)
            self.out.print(
                f"   {size(snapshot.total_size)} read, {size(snapshot.data_added)} new, "
                f"in {seconds:.2f} s; plain restic: {plain:.2f} s ({seconds / plain:.2f} ×)"
            )
            self.out.print("[bold]3. Encrypted[/bold]")
            if not self.show_encrypted(before):
                return 1
            self.out.print("[bold]4. Lose it[/bold]")
            shutil.rmtree(self.copy)
            self.out.print(f"   {self.copy} is gone")
            self.out.print("[bold]5. Restore[/bold]")
            if not self.restore(client, snapshot):
                return 1
        self.out.print("[bold]6. Compare[/bold]")
        return self.compare(before)

    def take_copy(self, source: Path) -> dict[str, Entry]:
        """Copy the folder, and write down what it is."""
        shutil.copytree(source, self.copy, symlinks=True, ignore=_unreadable_or_special)
        before = manifest(self.copy)
        files = sum(entry.kind == "file" for entry in before.values())
        total = sum(entry.size for entry in before.values())
        self.out.print(f"   {files} files, {size(total)}")
        return before

    def back_up(self, client: GatewayClient) -> tuple[SnapshotView, float]:
        """Destination, app, backup; gives the snapshot and the seconds from request to outcome."""
        self.nas.mkdir()
        device = client.get("/devices", Devices).devices[0]
        destination = client.post(
            "/backup/destinations/local",
            DestinationView,
            {"name": "Demo NAS", "device_id": device.id, "path": str(self.nas)},
        )
        self.out.print(f"   destination {destination.local_path}, encrypted repository initialised")
        app = client.post(
            "/apps",
            AppView,
            {"name": "demo", "device_id": device.id, "paths": [str(self.copy)]},
        )
        configuration = client.get("/backup/configurations", Configurations, app_id=app.id)
        started_at = time.monotonic()
        started = client.post(
            f"/backup/configurations/{configuration.configurations[0].id}/backup", BackupStarted
        )
        run = follow_run(client, started.run_id, self.out)
        seconds = _duration(run) or time.monotonic() - started_at
        _insist(run)
        return client.get(f"/backup/snapshots/{started.snapshot_id}", SnapshotView), seconds

    def show_encrypted(self, before: dict[str, Entry]) -> bool:
        """Look for the data's own words in the repository; none may be there."""
        repository = [path for path in self.nas.rglob("*") if path.is_file()]
        needles = self.needles(before)
        found = [path for path in repository for needle in needles if needle in path.read_bytes()]
        stored = sum(path.stat().st_size for path in repository)
        if found:
            self.out.print(f"   [red]readable data in {found[0]}[/red]")
            return False
        self.out.print(
            f"   {len(repository)} files, {size(stored)}; "
            f"{len(needles)} pieces of your data looked for, none is readable there"
        )
        return True

    def needles(self, before: dict[str, Entry]) -> list[bytes]:
        """The first 64 bytes of the larger files, and the names of files."""
        files = sorted(
            (name for name, entry in before.items() if entry.kind == "file" and entry.size > 256),
            key=lambda name: -before[name].size,
        )[:20]
        heads = []
        for name in files:
            with (self.copy / name).open("rb") as file:
                heads.append(file.read(64))
        # Runs of one byte (sparse files, padding) can stand anywhere by chance.
        names = [os.fsencode(os.path.basename(name)) for name in files]
        return [needle for needle in heads + names if len(needle) > 8 and len(set(needle)) > 4]

    def restore(self, client: GatewayClient, snapshot: SnapshotView) -> bool:
        """Back to where it was."""
        device = client.get("/devices", Devices).devices[0]
        accepted = client.post(
            f"/backup/snapshots/{snapshot.id}/restore",
            RunAccepted,
            {"target_device_id": device.id, "target_path": "/", "files": [str(self.copy)]},
        )
        run = follow_run(client, accepted.run_id, self.out)
        _insist(run)
        self.out.print(f"   restored in {_duration(run):.2f} s")
        return True

    def compare(self, before: dict[str, Entry]) -> int:
        """Every byte, mode, owner, time and link."""
        wrong = differences(before, manifest(self.copy))
        if wrong:
            self.out.print(f"   [red]{len(wrong)} differences[/red], among them:")
            for line in wrong[:10]:
                self.out.print(f"   {line}", markup=False)
            return 1
        self.out.print(
            f"   [green]all {len(before)} entries are what they were:[/green] "
            "every byte, mode, owner, time and link"
        )
        return 0


@contextmanager
def running_holdfast(data: Path) -> Iterator[GatewayClient]:
    """``holdfast up`` in a process of its own, stopped at the end whatever happens."""
    log_path = data.with_suffix(".log")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")},
        "HOLDFAST_LOG_LEVEL": "WARNING",
    }
    if restic := os.environ.get("HOLDFAST_RESTIC"):
        environment["HOLDFAST_RESTIC"] = restic
    command = [
        sys.executable,
        "-m",
        "holdfast",
        "up",
        "--data",
        str(data),
        "--listen",
        "127.0.0.1:0",
    ]
    with (
        log_path.open("wb") as log,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        ) as process,
    ):
        try:
            address = _address(process, log_path)
            token = (data / "admin-token").read_text(encoding="utf-8").strip()
            with GatewayClient(address, token) as client:
                yield client
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def _address(process: "subprocess.Popen[str]", log_path: Path) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        word, _, address = line.strip().partition(" ")
        if word == "ready":
            return address
    raise UnavailableError(
        "Holdfast did not start.",
        guidance="'holdfast doctor' says what is missing.",
        detail=log_path.read_text(encoding="utf-8", errors="replace")[-2000:],
    )


def _insist(run: RunView) -> None:
    if run.status is not RunStatus.SUCCESS:
        failure = run.failure
        raise HoldfastError(
            f"The {run.operation.value} ended {run.status.value}: "
            f"{failure.message if failure else 'no reason is on record.'}",
            detail=failure.detail if failure else "",
        )


def _duration(run: RunView) -> float:
    end = run.completed_at or run.queued_at
    return (end - run.queued_at).total_seconds()


def _unreadable_or_special(directory: str, names: list[str]) -> set[str]:
    """Sockets, pipes and what may not be read stay out of the copy."""
    left_out = set()
    for name in names:
        path = os.path.join(directory, name)
        if os.path.islink(path) or os.path.isdir(path):
            continue
        if not os.path.isfile(path) or not os.access(path, os.R_OK):
            left_out.add(name)
    return left_out
