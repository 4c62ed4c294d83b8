"""What runs on the devices, and whether all of it is protected, against a running gateway."""

import msgspec
from rich.table import Column, Table

from holdfast.cli.client import GatewayClient
from holdfast.cli.commands import Devices, console, print_table, report, when
from holdfast.cli.follow import follow_run
from holdfast.events.run import DiscoverResult
from holdfast.events.views import CoverageEntry, DeviceView, RunAccepted
from holdfast.kernel.errors import NotFoundError


class Coverage(msgspec.Struct):
    entries: tuple[CoverageEntry, ...]


def discover(device: str | None) -> int:
    """Ask a device's engines, or all devices', and say what was found."""
    worst = 0
    with GatewayClient.find() as client:
        for each in _devices(client, device):
            accepted = client.post(f"/devices/{each.id}/discover", RunAccepted)
            run = follow_run(client, accepted.run_id, console())
            worst = max(worst, report(run))
            if isinstance(run.result, DiscoverResult):
                engines = ", ".join(run.result.engines) or "no engine answers"
                console().print(f"  {each.name}: {engines}; {run.result.apps} apps")
    return worst


def coverage() -> int:
    """Print what protects each piece of data; 1 when something is at risk, or out of sight."""
    with GatewayClient.find() as client:
        entries = client.get("/coverage", Coverage).entries
    path = Column("path", overflow="fold")
    table = Table("device", "app", path, "policy", "last good backup", "", box=None)
    for each in entries:
        colour = "red" if each.at_risk else "dim"
        told = "protected" if each.protected else f"[{colour}]{each.explanation}[/{colour}]"
        table.add_row(
            each.device_name,
            each.app_name,
            each.path or each.name,
            each.policy_name,
            when(each.last_backup_at),
            told,
        )
    print_table(table)
    unseen = {each.device_name: each.unseen_since for each in entries if each.unseen_since}
    for name, since in unseen.items():
        console().print(f"[red]what {name} runs is not known since {when(since)}[/red]")
    at_risk = sum(each.at_risk for each in entries)
    console().print(f"{at_risk} of {len(entries)} not protected" if at_risk else "all protected")
    return 1 if at_risk or unseen else 0


def _devices(client: GatewayClient, name: str | None) -> list[DeviceView]:
    """The one of that name or id; without a name all that can be asked."""
    devices = client.get("/devices", Devices).devices
    found = [
        each
        for each in devices
        if (
            each.type == "local" or each.tested_at
            if name is None
            else name in (each.name, str(each.id))
        )
    ]
    if name is not None and not found:
        known = ", ".join(each.name for each in devices)
        raise NotFoundError(f"There is no device {name!r}.", guidance=f"There are: {known}.")
    return found


def find_device(client: GatewayClient, name: str) -> DeviceView:
    """The device of that name or id.  Raises NotFoundError that lists what there is."""
    return _devices(client, name)[0]
