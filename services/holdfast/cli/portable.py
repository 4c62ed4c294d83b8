"""``holdfast export`` and ``holdfast import``: files in and out of a running instance."""

import secrets
import socket
import sys
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.table import Table

from holdfast.cli.client import GatewayClient
from holdfast.cli.commands import Devices, console, print_table
from holdfast.cli.importers import Found, read_foreign
from holdfast.events.portable import SECRETS_PURPOSE, PortableDevice
from holdfast.events.queries import ImportReport, Verdict
from holdfast.kernel.errors import InvalidRequestError
from holdfast.kernel.private_file import replace_private
from holdfast.kernel.secret import Secret
from holdfast.secretbox.sealed_file import seal_with_passphrase


def export(out: Path | None, passphrase_file: Path | None, *, without_secrets: bool) -> int:
    """Write the file, to standard output without *out*.  There are no secrets in the clear."""
    with GatewayClient.find() as client:
        if without_secrets:
            file = client.get("/backup/export", msgspec.Raw)
        else:
            passphrase = passphrase_of(passphrase_file, confirm=True)
            body = {"passphrase": passphrase.reveal()}
            file = client.post("/backup/export", msgspec.Raw, body)
    text = msgspec.json.format(bytes(file), indent=2) + b"\n"
    if out is None:
        sys.stdout.buffer.write(text)
        return 0
    replace_private(out, text)
    click.echo(f"Written to {out}.", err=True)
    return 0


def bring_in(
    path: Path, tool: str, passphrase_file: Path | None, *, dry_run: bool, replace: bool
) -> int:
    """Import and print what came of each thing; 1 when something conflicts."""
    with GatewayClient.find() as client:
        if tool == "holdfast":
            body = _own(path, passphrase_file)
        else:
            found = read_foreign(tool, path, device_of(client))
            for note in found.notes:
                console().print(f"not mapped: {note}", markup=False)
            body = as_body(found)
        report = send(client, body, dry_run=dry_run, replace=replace)
    print_report(report)
    return 1 if any(each.verdict is Verdict.CONFLICT for each in report.entries) else 0


def send(
    client: GatewayClient, body: dict[str, Any], *, dry_run: bool = False, replace: bool = False
) -> ImportReport:
    """Ask the gateway to bring it in."""
    return client.post(
        "/backup/import",
        ImportReport,
        body,
        dry_run=str(dry_run).lower(),
        replace=str(replace).lower(),
    )


def as_body(found: Found) -> dict[str, Any]:
    """A document and its secrets as the gateway takes them.

    The passphrase lives as long as the request: nothing secret goes out in the clear.
    """
    passphrase = Secret(secrets.token_urlsafe(32))
    plain = msgspec.json.encode(found.secrets)
    sealed = seal_with_passphrase(passphrase, plain, SECRETS_PURPOSE)
    file = {**msgspec.to_builtins(found.export), "sealed": sealed}
    return {"file": file, "passphrase": passphrase.reveal()}


def device_of(client: GatewayClient) -> PortableDevice:
    """The device that this machine is, or the first one."""
    devices = client.get("/devices", Devices).devices
    if not devices:
        raise InvalidRequestError("There is no device.", guidance="POST /api/v1/devices first.")
    here = next((each for each in devices if each.name == socket.gethostname()), devices[0])
    return PortableDevice(
        id=here.id, created_at=here.created_at, name=here.name, type=here.type, site=here.site
    )


def passphrase_of(file: Path | None, *, confirm: bool = False) -> Secret:
    """From the file, or asked for on the terminal."""
    if file is not None:
        return Secret(file.read_text(encoding="utf-8").rstrip("\r\n"))
    asked: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
    return Secret(asked)


def print_report(report: ImportReport) -> None:
    """A line for each thing, and how many of each verdict."""
    table = Table("what", "name", "verdict", "why", box=None)
    for each in report.entries:
        table.add_row(each.kind, each.name, each.verdict.value, each.reason)
    print_table(table)
    counts = ", ".join(
        f"{sum(each.verdict is verdict for each in report.entries)} {verdict.value}"
        for verdict in Verdict
    )
    console().print(f"{'Would be' if report.dry_run else 'Done'}: {counts}.")


def _own(path: Path, passphrase_file: Path | None) -> dict[str, Any]:
    try:
        file = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidRequestError(f"{path} is no export of Holdfast.", detail=str(error)) from error
    if file.get("sealed") is None:
        return {"file": file}
    return {"file": file, "passphrase": passphrase_of(passphrase_file).reveal()}
