"""Destinations, against a running gateway.  Each returns the exit code."""

from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import msgspec
from rich.table import Table

from holdfast.cli.client import GatewayClient
from holdfast.cli.commands import console, id_column, print_table, report, size, when
from holdfast.cli.follow import follow_run
from holdfast.events.run import UndeleteResult
from holdfast.events.views import DestinationView, RunAccepted
from holdfast.kernel.errors import InvalidRequestError, NotFoundError

PATH = "/backup/destinations"


class Destinations(msgspec.Struct):
    destinations: tuple[DestinationView, ...]


class Tested(msgspec.Struct):
    success: bool
    message: str
    guidance: str | None = None


class Removed(msgspec.Struct):
    message: str


def list_all() -> int:
    """Print destinations."""
    with GatewayClient.find() as client:
        found = client.get(PATH, Destinations).destinations
    columns = ("name", "type", "place", "snapshots", "size", "last backup", "")
    table = Table(id_column("destination"), *columns, box=None)
    for each in found:
        table.add_row(
            str(each.id),
            each.name,
            each.type.value,
            _place(each),
            str(each.total_snapshots),
            size(each.total_size),
            when(each.last_backup_at),
            "" if each.enabled else "disabled",
        )
    print_table(table)
    return 0


def add_sftp(
    name: str,
    host: str,
    user: str,
    path: str,
    *,
    port: int,
    password: str,
    private_key: Path | None,
    passphrase: str,
    host_key: str,
) -> int:
    """Add a directory of an SFTP server, and print the host key that is pinned."""
    body: dict[str, Any] = {"name": name, "host": host, "port": port, "user": user, "path": path}
    key = private_key.read_text(encoding="utf-8") if private_key else ""
    optional = {
        "password": password,
        "private_key": key,
        "passphrase": passphrase,
        "host_key": host_key,
    }
    body |= {field: value for field, value in optional.items() if value}
    with GatewayClient.find() as client:
        view = client.post(f"{PATH}/sftp", DestinationView, body)
    console().print(f"{view.name} is ready: {_place(view)}")
    console().print(f"pinned host key {view.sftp_host_key_fingerprint}")
    if not host_key:
        console().print("Compare it with 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub' there.")
    return 0


def test(name: str) -> int:
    """Test one, and print what is wrong."""
    with GatewayClient.find() as client:
        tested = client.post(f"{PATH}/{_find(client, name)}/test", Tested)
    console().print(f"{tested.message} {tested.guidance or ''}".rstrip())
    return 0 if tested.success else 1


def remove(name: str, *, detach: bool) -> int:
    """Take one out of use, and print where its data stays."""
    with GatewayClient.find() as client:
        removed = client.delete(f"{PATH}/{_find(client, name)}", Removed, detach=detach)
    console().print(removed.message)
    return 0


def policy(name: str, principal: str) -> int:
    """Print the bucket policy that keeps the everyday key from deleting, as JSON."""
    with GatewayClient.find() as client:
        path = f"{PATH}/{_find(client, name)}/bucket-policy"
        made: Any = client.get(path, object, principal=principal)
    click.echo(msgspec.json.format(msgspec.json.encode(made), indent=2).decode())
    return 0


def undelete(name: str, since: str) -> int:
    """Bring back what was deleted or overwritten since then, and follow the run to its end."""
    moment = as_moment(since)
    with GatewayClient.find() as client:
        path = f"{PATH}/{_find(client, name)}/undelete"
        accepted = client.post(path, RunAccepted, {"since": moment})
        run = follow_run(client, accepted.run_id, console())
    if isinstance(run.result, UndeleteResult):
        console().print(
            f"{run.result.restored} objects brought back, "
            f"{len(run.result.restic_snapshot_ids)} of them snapshots; "
            f"{run.result.hidden} that do not belong there put aside"
        )
    return report(run)


def _find(client: GatewayClient, name: str) -> UUID:
    """The one of that name or id.  Raises NotFoundError that lists what there is."""
    found = client.get(PATH, Destinations).destinations
    for each in found:
        if name in (each.name, str(each.id)):
            return each.id
    known = ", ".join(each.name for each in found) or "none yet"
    raise NotFoundError(f"There is no destination {name!r}.", guidance=f"There are: {known}.")


def _place(view: DestinationView) -> str:
    if view.sftp_host is not None:
        return f"{view.sftp_user}@{view.sftp_host}:{view.sftp_path}"
    if view.s3_bucket is not None:
        return "/".join(part for part in (view.s3_endpoint, view.s3_bucket, view.s3_prefix) if part)
    return view.local_path or ""


def as_moment(text: str) -> datetime:
    """A time as typed; without a zone it is this machine's.  Raises InvalidRequestError."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise InvalidRequestError(
            f"{text!r} is not a time.", guidance="Write it as in 2026-11-23T18:30."
        ) from error
