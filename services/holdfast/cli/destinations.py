"""The commands about one destination, against a running gateway.  Each returns the exit code."""

from datetime import datetime
from typing import Any

import click
import msgspec

from holdfast.cli.client import GatewayClient
from holdfast.cli.commands import console, report
from holdfast.cli.follow import follow_run
from holdfast.events.run import UndeleteResult
from holdfast.events.views import DestinationView, RunAccepted
from holdfast.kernel.errors import InvalidRequestError, NotFoundError


class Destinations(msgspec.Struct):
    destinations: tuple[DestinationView, ...]


def policy(name: str, principal: str) -> int:
    """Print the bucket policy that keeps the everyday key from deleting, as JSON."""
    with GatewayClient.find() as client:
        found = find_destination(client, name)
        path = f"/backup/destinations/{found.id}/bucket-policy"
        made: Any = client.get(path, object, principal=principal)
    click.echo(msgspec.json.format(msgspec.json.encode(made), indent=2).decode())
    return 0


def undelete(name: str, since: str) -> int:
    """Bring back what was deleted or overwritten since then, and follow the run to its end."""
    moment = as_moment(since)
    with GatewayClient.find() as client:
        found = find_destination(client, name)
        path = f"/backup/destinations/{found.id}/undelete"
        accepted = client.post(path, RunAccepted, {"since": moment})
        run = follow_run(client, accepted.run_id, console())
    if isinstance(run.result, UndeleteResult):
        console().print(
            f"{run.result.restored} objects brought back, "
            f"{len(run.result.restic_snapshot_ids)} of them snapshots; "
            f"{run.result.hidden} that do not belong there put aside"
        )
    return report(run)


def find_destination(client: GatewayClient, name: str) -> DestinationView:
    """The destination of that name or id.  Raises NotFoundError that lists what there is."""
    there = client.get("/backup/destinations", Destinations).destinations
    for each in there:
        if name in (each.name, str(each.id)):
            return each
    known = ", ".join(each.name for each in there) or "none yet"
    raise NotFoundError(f"There is no destination {name!r}.", guidance=f"There are: {known}.")


def as_moment(text: str) -> datetime:
    """A time as typed; without a zone it is this machine's.  Raises InvalidRequestError."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise InvalidRequestError(
            f"{text!r} is not a time.", guidance="Write it as in 2026-11-23T18:30."
        ) from error
