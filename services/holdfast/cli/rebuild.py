"""``holdfast rebuild``: an instance from its repositories alone."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import click
import msgspec

from holdfast.cli.client import GatewayClient
from holdfast.cli.commands import Apps, Configurations, console, report
from holdfast.cli.follow import follow_run
from holdfast.cli.importers import Found
from holdfast.cli.portable import as_body, device_of, send
from holdfast.cli.repositories import NO_LOGIN, SftpLogin, destination_of, secrets_of
from holdfast.events.portable import Export, PortableDevice
from holdfast.events.queries import Verdict
from holdfast.events.run import RebuildResult, RunStatus
from holdfast.events.views import RunAccepted, RunView, SnapshotPage
from holdfast.kernel.errors import ConflictError, InvalidRequestError
from holdfast.kernel.ids import derived_id


def rebuild(
    repositories: Sequence[str], password_files: Sequence[Path], sftp: SftpLogin = NO_LOGIN
) -> int:
    """All repositories are added first, so that the settings of one find the others.

    0 when everything came back that was there.
    """
    if password_files and len(password_files) != len(repositories):
        raise InvalidRequestError(
            "There are not as many password files as repositories.",
            guidance="Give --password-file once for each --from, in the same order.",
        )
    passwords = [first_line(path) for path in password_files] or [
        click.prompt(f"Password of {each}", hide_input=True, err=True) for each in repositories
    ]
    with GatewayClient.find() as client:
        device = device_of(client)
        added = []
        for url, password in zip(repositories, passwords, strict=True):
            destination_id, code = _add(client, device, url, password, sftp)
            if code:
                return code
            added.append(destination_id)
        codes = [_from(client, each) for each in added]
        _tell(client)
    return max(codes)


def first_line(path: Path) -> str:
    """A password, from its file."""
    return path.read_text(encoding="utf-8").rstrip("\r\n")


def _add(
    client: GatewayClient, device: PortableDevice, url: str, password: str, sftp: SftpLogin
) -> tuple[UUID, int]:
    """The destination, which may be there from an attempt before, and whether it opens."""
    now = datetime.now(UTC)
    destination = destination_of(
        url,
        derived_id("rebuilt", device.id, url),
        f"Rebuilt from {url}",
        device,
        now,
        region=os.environ.get("AWS_DEFAULT_REGION", ""),
        sftp=sftp,
    )
    secrets = secrets_of(destination, password, os.environ, sftp)
    found = Found(
        export=Export(
            instance_id=UUID(int=0),
            exported_at=now,
            devices=(device,),
            destinations=(destination,),
        ),
        secrets={destination.id: secrets},
    )
    answer = send(client, as_body(found))
    (entry,) = [each for each in answer.entries if each.kind == "destination"]
    if entry.verdict is Verdict.CONFLICT and "secrets" in entry.reason:
        raise ConflictError(
            f"{url} is a destination already, with another password or other keys.",
            guidance="Remove it, or change its secrets, and rebuild again.",
        )
    for run_id in answer.run_ids:
        run = follow_run(client, run_id, console())
        if run.status is not RunStatus.SUCCESS:
            report(run)
            client.delete(f"/backup/destinations/{entry.id}", msgspec.Raw)
            return entry.id, 1
    return entry.id, 0


def _from(client: GatewayClient, destination_id: UUID) -> int:
    """Settings, then history."""
    accepted = client.post(f"/backup/destinations/{destination_id}/rebuild", RunAccepted)
    run = follow_run(client, accepted.run_id, console())
    if run.status is not RunStatus.SUCCESS:
        return report(run)
    if isinstance(run.result, RebuildResult):
        if run.result.manifest_at is None:
            console().print("The repository carries no settings: only tags tell of its apps.")
        for each in run.result.left_out:
            console().print(f"left out: {each}", markup=False)
    history = client.get(f"/backup/runs/{derived_id('import', run.id)}", RunView)
    return report(follow_run(client, history.id, console()))


def _tell(client: GatewayClient) -> None:
    apps = client.get("/apps", Apps).apps
    ties = client.get("/backup/configurations", Configurations).configurations
    newest = client.get("/backup/snapshots", SnapshotPage, limit=1).snapshots
    console().print(f"{len(apps)} apps and {len(ties)} configurations are here.")
    if newest:
        console().print(f"The newest snapshot is of {newest[0].started_at:%Y-%m-%d %H:%M} UTC.")
