"""Bringing a whole app back, against a running gateway."""

import click

from holdfast.cli.client import GatewayClient
from holdfast.cli.commands import (
    as_id,
    console,
    find_app,
    find_snapshot,
    print_steps,
    report,
    size,
)
from holdfast.cli.discovery import find_device
from holdfast.cli.follow import follow_run
from holdfast.events.restoring import AppRestoreResult, DiscardResult
from holdfast.events.views import RunAccepted, RunView


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


def discard_previous(app: str, restore: str, *, yes: bool) -> int:
    """Show what would go, ask, and remove it."""
    with GatewayClient.find() as client:
        found = find_app(client, app)
        run_id = as_id(restore)
        if not yes:
            told = client.get(f"/backup/runs/{run_id}", RunView).result
            if isinstance(told, AppRestoreResult):
                paths = filter(None, (each.previous for each in told.places))
                for previous in (*paths, *told.previous_images):
                    console().print(f"  {previous}", markup=False)
            click.confirm(
                f"What was there before this restore of {found.name} is removed for good. Go on?",
                abort=True,
            )
        accepted = client.post(f"/apps/{found.id}/restores/{run_id}/discard", RunAccepted)
        run = follow_run(client, accepted.run_id, console())
    code = report(run)
    if isinstance(run.result, DiscardResult):
        for each in run.result.removed:
            console().print(f"  removed: {each}", markup=False)
        console().print(f"  {size(run.result.freed_bytes)} freed")
    return code


def _tell(result: AppRestoreResult) -> None:
    out = console()
    print_steps(result.steps)
    for place in result.places:
        name = place.path or f"volume {place.volume}, which is to be made"
        out.print(f"  {name}", markup=False)
        if place.previous:
            out.print(f"    before: {place.previous}", markup=False)
    for name in result.previous_images:
        out.print(f"  container of before: image {name}", markup=False)
    for warning in result.warnings:
        out.print(f"  mind: {warning}", markup=False)
    for problem in result.problems:
        out.print(f"  in the way: {problem}", markup=False)
