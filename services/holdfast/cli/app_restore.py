"""Bringing a whole app back, against a running gateway."""

import click

from holdfast.cli.client import GatewayClient
from holdfast.cli.commands import console, find_app, find_snapshot, print_steps, report
from holdfast.cli.discovery import find_device
from holdfast.cli.follow import follow_run
from holdfast.events.restoring import AppRestoreResult
from holdfast.events.views import RunAccepted


def restore_app(
    app: str, snapshot: str | None, device: str | None, *, dry_run: bool, overwrite: bool, yes: bool
) -> int:
    """Ask, restore, and say where what was there lies now."""
    with GatewayClient.find() as client:
        found = find_app(client, app)
        chosen = find_snapshot(client, snapshot or f"latest:{found.id}")
        target = find_device(client, device) if device else None
        if not (dry_run or yes):
            where = f" on {target.name}" if target else ""
            told = f"{chosen.completed_at or chosen.started_at:%Y-%m-%d %H:%M}"
            click.confirm(
                f"{found.name}{where} is stopped, and set back to {told} UTC. What is there now is "
                "set aside. Go on?",
                abort=True,
            )
        body = {
            "snapshot_id": chosen.id,
            "target_device_id": target.id if target else None,
            "overwrite": overwrite,
            "dry_run": dry_run,
        }
        accepted = client.post(f"/apps/{found.id}/restore", RunAccepted, body)
        run = follow_run(client, accepted.run_id, console())
    code = report(run)
    if isinstance(run.result, AppRestoreResult):
        _tell(run.result)
        return 1 if run.result.problems else code
    return code


def _tell(result: AppRestoreResult) -> None:
    out = console()
    print_steps(result.steps)
    for place in result.places:
        name = place.path or f"volume {place.volume}, which is to be made"
        out.print(f"  {name}", markup=False)
        if place.previous:
            out.print(f"    before: {place.previous}", markup=False)
    for warning in result.warnings:
        out.print(f"  mind: {warning}", markup=False)
    for problem in result.problems:
        out.print(f"  in the way: {problem}", markup=False)
