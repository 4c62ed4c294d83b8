"""``holdfast restore``: bring a snapshot back, or see what that would do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.markup import escape

from holdfast.cli.client import GatewayClient
from holdfast.cli.commands import Apps, Devices, console, find_snapshot, report
from holdfast.cli.discovery import find_device
from holdfast.cli.follow import follow_run
from holdfast.events.restoring import RestorePlan
from holdfast.events.run import RestoreResult
from holdfast.events.views import DeviceView, RunAccepted, SnapshotView

SHOWN = 50
"""So many files of a plan are printed."""


def restore(snapshot: str, target: Path, device: str | None, body: Mapping[str, Any]) -> int:
    """Restore, and follow it to the end; *body* is what else the request says."""
    with GatewayClient.find() as client:
        found = find_snapshot(client, snapshot)
        home = _device(client, found, device)
        accepted = client.post(
            f"/backup/snapshots/{found.id}/restore",
            RunAccepted,
            {"target_device_id": home.id, "target_path": str(target), **body},
        )
        run = follow_run(client, accepted.run_id, console())
        if isinstance(run.result, RestoreResult):
            for each in run.result.failed_sources:
                console().print(f"  {escape(each.destination_name)} failed: {escape(each.message)}")
            if run.result.plan is not None:
                _print_plan(run.result.plan)
        return report(run)


def _device(client: GatewayClient, snapshot: SnapshotView, name: str | None) -> DeviceView:
    """The one of that name or id; without, the snapshot's own."""
    if name is not None:
        return find_device(client, name)
    devices = client.get("/devices", Devices).devices
    apps = {each.id: each for each in client.get("/apps", Apps).apps}
    app = apps.get(snapshot.app_id) if snapshot.app_id else None
    found = [each for each in devices if app is not None and each.id == app.device_id]
    return (*found, *devices)[0]


def _print_plan(plan: RestorePlan) -> None:
    out = console()
    for each in plan.files[:SHOWN]:
        out.print(f"  {each.action} {escape(each.path)}")
    if plan.restored + plan.updated > SHOWN:
        out.print("  …")
    out.print(
        f"would write {plan.restored} new and {plan.updated} changed files, "
        f"and leave {plan.unchanged} as they are"
    )
    if plan.in_the_way_count:
        names = escape(", ".join(plan.in_the_way))
        out.print(f"would be refused: {plan.in_the_way_count} in the way ({names})")
