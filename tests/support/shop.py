"""An app of two containers on the tests' engine, its backup, and its restore."""

import os
from pathlib import Path
from typing import Any
from uuid import UUID

from holdfast.events.discovery import DataKind, FoundApp, FoundData, FoundService
from holdfast.events.restoring import AppRestoreResult
from holdfast.events.run import RunCompleted, RunStatus
from holdfast.events.snapshot import SnapshotCompleted
from holdfast.events.work import AppRestoreRequested, BackupRequested
from support.dockerd import Dockerd
from support.executor import Bench, Place, backup_of, work_of

HEALTH = ("--health-interval", "200ms", "--health-retries", "2", "--health-start-period", "0s")

SECRET = "hunter2-correct-horse"
PORT = 19181
"""Nobody listens there: the tests' engine makes no networks."""


class Shop:
    """Two containers, a volume, a bound directory and a compose file."""

    def __init__(self, engine: Dockerd, root: Path) -> None:
        self.engine = engine
        engine.docker("volume", "rm", "-f", "shop_data")
        self.site = root / "shop/site"
        self.site.mkdir(parents=True)
        (self.site / "page").write_text("first")
        self.compose = root / "shop/compose.yml"
        self.compose.write_text("name: shop\n")
        for name in ("db", "web"):
            check = "! grep -q sick /data/state"
            engine.started(
                name,
                *("-v", "shop_data:/data", "-v", f"{self.site}:/site"),
                *("--health-cmd", check, *HEALTH),
                *("-e", f"SECRET={SECRET}", "--restart", "unless-stopped", "--label", "kind=shop"),
                *("-p", f"{PORT}:80"),
            )
        self.volume = Path(
            engine.docker(
                "volume", "inspect", "--format", "{{.Mountpoint}}", "shop_data"
            ).stdout.strip()
        )
        (self.volume / "state").write_text("good")
        self.volume.chmod(0o750)
        os.chown(self.volume, 1234, 1234)
        self.found = FoundApp(
            key="docker/project/shop",
            engine="docker",
            name="shop",
            services=tuple(
                FoundService(name=each, container=each, image="lab:1", status="running")
                for each in ("db", "web")
            ),
            data=(
                FoundData(
                    kind=DataKind.VOLUME, name="shop_data", path=str(self.volume), services=("db",)
                ),
                FoundData(kind=DataKind.BIND, path=str(self.site), services=("web",)),
            ),
            compose_files=(str(self.compose),),
        )

    def content(self) -> dict[str, str]:
        return {
            str(each): each.read_text()
            for root in (self.volume, self.site, self.compose.parent)
            for each in sorted(root.rglob("*"))
            if each.is_file() and ".holdfast-before" not in str(each)
        }

    def states(self) -> set[str]:
        return {self.engine.state("db"), self.engine.state("web")}


async def backed_up(
    bench: Bench, nas: Place, shop: Shop, device: dict[str, Any], *, definitions: bool = True
) -> tuple[BackupRequested, str]:
    names = tuple(each.container for each in shop.found.services) if definitions else ()
    paths = [Path(each) for each in shop.found.paths()]
    work = backup_of(paths, nas, environment_of=names, **device)
    run = await bench.outcome(work)
    assert run.status is RunStatus.SUCCESS, run.failure
    made = bench.said(SnapshotCompleted)[-1]
    return work, made.restic_snapshot_id


def restore_of(
    nas: Place, shop: Shop, made: tuple[BackupRequested, str], **fields: Any
) -> AppRestoreRequested:
    work: AppRestoreRequested = work_of(
        AppRestoreRequested,
        nas,
        **{
            "app_id": UUID(int=7),
            "restic_snapshot_id": made[1],
            "backup_run_id": made[0].run_id,
            "found": shop.found,
            **fields,
        },
    )
    return work


def result_of(run: RunCompleted) -> AppRestoreResult:
    assert isinstance(run.result, AppRestoreResult)
    return run.result
