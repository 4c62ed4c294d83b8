"""The everyday commands, against a running gateway.  Each returns the exit code."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec
from rich.console import Console
from rich.table import Column, Table

from holdfast.cli.client import GatewayClient
from holdfast.cli.follow import follow_run
from holdfast.events.restoring import AppRestoreStep
from holdfast.events.run import HealResult, RunStatus
from holdfast.events.views import (
    AppView,
    BackupStarted,
    ConfigurationView,
    DestinationView,
    DeviceView,
    RecoveryKitState,
    RunAccepted,
    RunPage,
    RunView,
    SnapshotPage,
    SnapshotView,
    StatusView,
    VerificationView,
)
from holdfast.kernel.errors import InvalidRequestError, NotFoundError

WIDE = 120
"""Columns that a list of snapshots or runs needs."""

EXIT_CODES = {RunStatus.SUCCESS: 0, RunStatus.PARTIAL: 3}
"""Partial is 3, as restic's; everything else that ended badly is 1."""


KIT_WANTED = {
    RecoveryKitState.NEVER_MADE: "never made",
    RecoveryKitState.OUTDATED: "older than the newest destination or password",
}
"""Why a recovery kit is to be made; the other states want none."""


class Apps(msgspec.Struct):
    apps: tuple[AppView, ...]


class Devices(msgspec.Struct):
    devices: tuple[DeviceView, ...]


class Destinations(msgspec.Struct):
    destinations: tuple[DestinationView, ...]


class Configurations(msgspec.Struct):
    configurations: tuple[ConfigurationView, ...]


def backup(app: str, *, wait: bool) -> int:
    """Back up by every enabled configuration of the app, one after the other."""
    with GatewayClient.find() as client:
        found = find_app(client, app)
        ties = [
            each
            for each in client.get("/backup/configurations", Configurations).configurations
            if each.app_id == found.id and each.enabled
        ]
        if not ties:
            raise NotFoundError(
                f"{found.name} has no enabled configuration.",
                guidance="POST /api/v1/backup/configurations makes one.",
            )
        worst = 0
        for tie in ties:
            started = client.post(f"/backup/configurations/{tie.id}/backup", BackupStarted)
            console().print(f"run {started.run_id} {started.status.value}")
            if wait:
                worst = max(worst, report(follow_run(client, started.run_id, console())))
        return worst


def snapshots(app: str | None, limit: int) -> int:
    """Print snapshots."""
    with GatewayClient.find() as client:
        apps = {each.id: each.name for each in client.get("/apps", Apps).apps}
        app_id = find_app(client, app).id if app else None
        page = client.get("/backup/snapshots", SnapshotPage, app_id=app_id, limit=limit)
    table = Table(id_column("snapshot"), "app", "when", "status", "size", "new", "restic", box=None)
    for each in page.snapshots:
        table.add_row(
            str(each.id),
            apps.get(each.app_id, "") if each.app_id else "",
            when(each.completed_at or each.started_at),
            "forgotten" if each.forgotten_at else each.status.value,
            size(each.total_size),
            size(each.data_added),
            (each.restic_snapshot_id or "")[:8],
        )
    print_table(table)
    return 0


def runs(limit: int) -> int:
    """Print runs."""
    with GatewayClient.find() as client:
        page = client.get("/backup/runs", RunPage, limit=limit)
    table = Table(id_column("run"), "operation", "app", "queued", "status", "took", "why", box=None)
    for each in page.runs:
        table.add_row(
            str(each.id),
            each.operation.value,
            each.app_name,
            when(each.queued_at),
            each.status.value,
            took(each.started_at, each.completed_at),
            each.failure.message if each.failure else "",
        )
    print_table(table)
    return 0


def check(destination: str, read_data: str, *, wait: bool) -> int:
    """Check a destination; 1 when it is damaged."""
    with GatewayClient.find() as client:
        found = find_destination(client, destination)
        accepted = client.post(
            f"/backup/destinations/{found.id}/check", RunAccepted, {"read_data": read_data}
        )
        console().print(f"run {accepted.run_id} {accepted.status.value}")
        if not wait:
            return 0
        code = report(follow_run(client, accepted.run_id, console()))
        view = client.get(f"/backup/destinations/{found.id}/verification", VerificationView)
    out = console()
    since = f", all of it since {when(view.oldest_read_at)}" if view.oldest_read_at else ""
    out.print(f"{view.parts_read} of {len(view.parts)} parts of the data were read{since}")
    for warning in view.warnings:
        out.print(f"  {warning}")
    return code


def cancel_run(run: str) -> int:
    """Cancel a run."""
    with GatewayClient.find() as client:
        view = client.post(f"/backup/runs/{as_id(run)}/cancel", RunView)
    console().print(
        "cancelled" if view.status is RunStatus.CANCELLED else "its executor is told to stop"
    )
    return 0


def rotate_password(destination: str) -> int:
    """Change a repository's password and follow it to the end."""
    with GatewayClient.find() as client:
        listed = client.get("/backup/destinations", Destinations).destinations
        for each in listed:
            if destination in (each.name, str(each.id)):
                break
        else:
            known = ", ".join(each.name for each in listed) or "none yet"
            raise NotFoundError(
                f"There is no destination {destination!r}.", guidance=f"There are: {known}."
            )
        accepted = client.post(f"/backup/destinations/{each.id}/rotate-password", RunAccepted)
        code = report(follow_run(client, accepted.run_id, console()))
    if code == 0:
        console().print("Make the recovery kit anew: 'holdfast recovery-kit'.")
    return code


def heal(destination: str) -> int:
    """Repair a destination, follow it to the end, and say what came of it."""
    with GatewayClient.find() as client:
        found = find_destination(client, destination)
        accepted = client.post(f"/backup/destinations/{found.id}/heal", RunAccepted)
        run = follow_run(client, accepted.run_id, console())
    code = report(run)
    if isinstance(run.result, HealResult):
        mended = run.result
        console().print(
            f"  {mended.objects_restored} objects and {mended.snapshots_restored} snapshots "
            f"restored, {len(mended.lost_snapshots)} snapshots lost"
        )
        for each in mended.lost_snapshots:
            console().print(f"  lost: {each}")
    return code


def status() -> int:
    """Print the house at a glance; 1 when an app has no good backup."""
    with GatewayClient.find() as client:
        view = client.get("/status", StatusView)
    apps = Table("app", "last good backup", "last run", "next due", box=None)
    for each in view.apps:
        apps.add_row(
            each.name,
            when(each.last_success_at) or "[red]never[/red]",
            each.last_status.value if each.last_status else "",
            when(each.next_due_at),
        )
    places = Table("destination", "type", "snapshots", "size", "last backup", "health", box=None)
    for place in view.destinations:
        places.add_row(
            place.name,
            place.type.value,
            str(place.total_snapshots),
            size(place.total_size) if place.total_size else "",
            when(place.last_backup_at),
            told_health(place),
        )
    console().print(apps, places, f"{view.runs_active} running, {view.runs_queued} queued")
    if view.events_set_aside:
        console().print(f"{view.events_set_aside} events could not be sent; the log says why")
    if wanted := KIT_WANTED.get(view.recovery_kit.state):
        console().print(f"recovery kit: {wanted}; 'holdfast recovery-kit' makes one")
    return 0 if all(each.last_success_at for each in view.apps) else 1


def told_health(place: DestinationView) -> str:
    """In a word, and since when if it is bad."""
    if place.damaged_since is not None:
        return f"[red]damaged since {when(place.damaged_since)}[/red]"
    return place.health.value


def report(run: RunView) -> int:
    """Print how a run ended, and give the exit code for it."""
    out = console()
    out.print(f"{run.operation.value} {run.id}: {run.status.value}")
    if run.failure:
        out.print(f"  {run.failure.message} {run.failure.guidance}".rstrip())
        if run.failure.detail:
            out.print(f"  {run.failure.detail}", markup=False)
    return EXIT_CODES.get(run.status, 1)


def find_app(client: GatewayClient, name: str) -> AppView:
    """The app of that name or id.  Raises NotFoundError that lists what there is."""
    apps = client.get("/apps", Apps).apps
    for each in apps:
        if name in (each.name, str(each.id)):
            return each
    known = ", ".join(each.name for each in apps) or "none yet"
    raise NotFoundError(f"There is no app {name!r}.", guidance=f"There are: {known}.")


def find_destination(client: GatewayClient, name: str) -> DestinationView:
    """The destination of that name or id.  Raises NotFoundError that lists what there is."""
    places = client.get("/backup/destinations", Destinations).destinations
    for each in places:
        if name in (each.name, str(each.id)):
            return each
    known = ", ".join(each.name for each in places) or "none yet"
    raise NotFoundError(f"There is no destination {name!r}.", guidance=f"There are: {known}.")


def find_snapshot(client: GatewayClient, name: str) -> SnapshotView:
    """The snapshot of that id, or the newest good one for ``latest:APP``."""
    if not name.startswith("latest:"):
        return client.get(f"/backup/snapshots/{as_id(name)}", SnapshotView)
    app = find_app(client, name.removeprefix("latest:"))
    page = client.get("/backup/snapshots", SnapshotPage, app_id=app.id, limit=200)
    for each in page.snapshots:
        if each.restic_snapshot_id and not each.forgotten_at:
            return each
    raise NotFoundError(f"{app.name} has no snapshot that can be restored.")


def as_id(text: str) -> UUID:
    """A UUID as typed.  Raises InvalidRequestError."""
    try:
        return UUID(text)
    except ValueError as error:
        raise InvalidRequestError(
            f"{text!r} is not an id.",
            guidance="'holdfast snapshots' and 'holdfast runs' list them.",
        ) from error


def id_column(header: str) -> Column:
    """Whole however narrow the terminal is: it is what the next command is given."""
    return Column(header, min_width=len(str(UUID(int=0))), no_wrap=True)


def print_steps(steps: Iterable[AppRestoreStep]) -> None:
    """What was done, each with the time that it took."""
    for step in steps:
        console().print(f"  {step.seconds:6.1f} s  {step.name}", markup=False)


def print_table(table: Table) -> None:
    """Print it whole: a narrow terminal or a pipe breaks lines, but shortens no cell."""
    wide = max(console().width, WIDE)
    Console(highlight=False, soft_wrap=True, width=wide).print(table)


def console() -> Console:
    return Console(highlight=False, soft_wrap=True)


def when(moment: datetime | None) -> str:
    """A time in this machine's zone, to the minute."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment else ""


def took(start: datetime | None, end: datetime | None) -> str:
    return f"{(end - start).total_seconds():.1f} s" if start and end else ""


def size(count: float) -> str:
    """Bytes as a person reads them."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
