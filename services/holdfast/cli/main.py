"""``holdfast``: one command, and one file below it for each thing it does."""

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click

from holdfast.cli.destination_group import destination
from holdfast.cli.key_groups import keys, recovery_kit
from holdfast.cli.options import DATA, FILE
from holdfast.kernel.errors import HoldfastError


def run_in_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run *work* to its end in uvloop, which halves the gateway's latency."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


class Commands(click.Group):
    """Turns our errors into one plain sentence and an exit code of 1."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except HoldfastError as error:
            click.echo(f"holdfast: {error}", err=True)
            if error.detail:
                click.echo(f"  {error.detail}", err=True)
            sys.exit(1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="holdfast")
def main() -> None:
    """Back up every app on every machine in the house, and prove that it comes back."""


for group in (destination, keys, recovery_kit):
    main.add_command(group)


@main.command()
@DATA
@click.option("--listen", metavar="HOST:PORT", help="Where to serve; port 0 takes a free one.")
def up(data: Path | None, listen: str | None) -> None:
    """Run everything in one process: NATS, Postgres and all six services."""
    from holdfast.cli.up import settings_for
    from holdfast.cli.up import up as run_up

    run_in_loop(run_up(settings_for(data, listen)))


@main.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@DATA
@click.option("--listen", metavar="HOST:PORT", help="Where the gateway serves.")
def serve(names: tuple[str, ...], data: Path | None, listen: str | None) -> None:
    """Run some services, or all, against NATS and Postgres servers that are there already."""
    from holdfast.cli.serve import serve as run_serve
    from holdfast.cli.up import settings_for

    run_in_loop(run_serve(names, settings_for(data, listen)))


@main.command()
@click.argument("path", required=False, type=click.Path(path_type=Path, exists=True))
@click.option("--keep", is_flag=True, help="Leave the demo's files for a look.")
def demo(path: Path | None, keep: bool) -> None:
    """Back up a folder, lose it, restore it, and compare every byte."""
    from holdfast.cli.demo import demo as run_demo

    sys.exit(run_demo(path, keep=keep))


@main.command()
@click.argument("app")
@click.option("--no-wait", is_flag=True, help="Only ask for it; do not wait for the end.")
def backup(app: str, no_wait: bool) -> None:
    """Back an app up now."""
    from holdfast.cli.commands import backup as run_backup

    sys.exit(run_backup(app, wait=not no_wait))


@main.command()
@click.option("--app", help="Only this app's.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 500))
def snapshots(app: str | None, limit: int) -> None:
    """List snapshots, newest first."""
    from holdfast.cli.commands import snapshots as run_snapshots

    sys.exit(run_snapshots(app, limit))


@main.command()
@click.argument("snapshot")
@click.argument("path", default="/")
def files(snapshot: str, path: str) -> None:
    """Look into SNAPSHOT (an id, or 'latest:APP'): what is in its folder PATH."""
    from holdfast.cli.files import files as run_files

    sys.exit(run_files(snapshot, path))


@main.command()
@click.argument("snapshot")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--file", "files", multiple=True, help="Only this path; may be given again.")
@click.option(
    "--mode",
    type=click.Choice(["never", "if_changed", "if_newer", "always"]),
    default="never",
    show_default=True,
    help="Which files that are there may be replaced.",
)
@click.option("--dry-run", is_flag=True, help="Only tell what would be done.")
@click.option("--verify", is_flag=True, help="Read what was written again, and compare.")
@click.option("--device", help="Onto this device; else the one that was backed up.")
def restore(
    snapshot: str,
    target: Path,
    files: tuple[str, ...],
    mode: str,
    dry_run: bool,
    verify: bool,
    device: str | None,
) -> None:
    """Bring SNAPSHOT (an id, or 'latest:APP') back below TARGET."""
    from holdfast.cli.restoring import restore as run_restore

    body = {"files": list(files), "mode": mode, "dry_run": dry_run, "verify": verify}
    sys.exit(run_restore(snapshot, target.absolute(), device, body))


@main.command("restore-database")
@DATA
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True, exists=True))
@click.option("--replace", is_flag=True, help="Set aside what is in the database.")
def restore_database(data: Path | None, file: Path, replace: bool) -> None:
    """Bring Holdfast's own database back from FILE, holdfast-database.sql of a system backup."""
    from holdfast.cli.database import restore_database as run_restore
    from holdfast.cli.up import settings_for

    sys.exit(asyncio.run(run_restore(settings_for(data, None), file, replace=replace)))


@main.command("restore-app")
@click.argument("app")
@click.option("--snapshot", help="An id; without it: the newest good one.")
@click.option("--device", help="Another device than the app's own (a name or an id).")
@click.option("--dry-run", is_flag=True, help="Only say what would be done and what is in the way.")
@click.option("--overwrite", is_flag=True, help="On another device: set aside what is there.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def restore_app(
    app: str, snapshot: str | None, device: str | None, dry_run: bool, overwrite: bool, yes: bool
) -> None:
    """Bring all of APP back: stop it, set aside what is there, restore, and start it again."""
    from holdfast.cli.app_restore import restore_app as run_restore

    sys.exit(run_restore(app, snapshot, device, dry_run=dry_run, overwrite=overwrite, yes=yes))


@main.command("discard-previous")
@click.argument("app")
@click.argument("run")
@click.option("--yes", is_flag=True, help="Do not ask.")
def discard_previous(app: str, run: str, yes: bool) -> None:
    """Remove for good what was there before RUN, a restore of APP."""
    from holdfast.cli.app_restore import discard_previous as run_discard

    sys.exit(run_discard(app, run, yes=yes))


@main.command()
@click.argument("app")
def drill(app: str) -> None:
    """Prove that APP can be restored: to a scratch place, compared, and taken away again."""
    from holdfast.cli.drills import drill as run_drill

    sys.exit(run_drill(app))


@main.command()
def drills() -> None:
    """When each app was last proved restorable; exit code 1 when one never was."""
    from holdfast.cli.drills import drills as run_drills

    sys.exit(run_drills())


@main.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 500))
@click.option("--cancel", metavar="RUN", help="Cancel this run instead of listing.")
def runs(limit: int, cancel: str | None) -> None:
    """List runs, newest first."""
    from holdfast.cli.commands import cancel_run
    from holdfast.cli.commands import runs as run_runs

    sys.exit(cancel_run(cancel) if cancel else run_runs(limit))


@main.command()
@click.argument("destination")
@click.option(
    "--read-data",
    type=click.Choice(["none", "part", "all"]),
    default="part",
    show_default=True,
    help="How much of the data is read.",
)
@click.option("--no-wait", is_flag=True, help="Only ask for it; do not wait for the end.")
def check(destination: str, read_data: str, no_wait: bool) -> None:
    """Check whether DESTINATION is whole and its data can be read."""
    from holdfast.cli.commands import check as run_check

    sys.exit(run_check(destination, read_data, wait=not no_wait))


@main.command()
@click.argument("destination")
def heal(destination: str) -> None:
    """Repair DESTINATION (a name or an id) with what other destinations have."""
    from holdfast.cli.commands import heal as run_heal

    sys.exit(run_heal(destination))


@main.command()
@click.argument("device", required=False)
def discover(device: str | None) -> None:
    """Look which apps the containers of DEVICE are (a name or an id); without it: of all."""
    from holdfast.cli.discovery import discover as run_discover

    sys.exit(run_discover(device))


@main.command()
def coverage() -> None:
    """Show what protects each volume and directory of each app, or why nothing does."""
    from holdfast.cli.discovery import coverage as run_coverage

    sys.exit(run_coverage())


@main.command()
def status() -> None:
    """Show how well everything is protected."""
    from holdfast.cli.commands import status as run_status

    sys.exit(run_status())


PASSPHRASE = click.option(
    "--passphrase-file",
    type=FILE,
    help="Holds the passphrase of the secrets; without it you are asked.",
)


@main.command("export")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write here, mode 0600."
)
@PASSPHRASE
@click.option("--without-secrets", is_flag=True, help="Leave out what opens the destinations.")
def export(out: Path | None, passphrase_file: Path | None, without_secrets: bool) -> None:
    """Write all settings into one file, what opens the destinations under a passphrase."""
    from holdfast.cli.portable import export as run_export

    sys.exit(run_export(out, passphrase_file, without_secrets=without_secrets))


@main.command("import")
@click.argument("file", type=FILE)
@click.option(
    "--from",
    "tool",
    type=click.Choice(["holdfast", "backrest", "resticprofile", "autorestic"]),
    default="holdfast",
    show_default=True,
    help="Whose file it is.",
)
@PASSPHRASE
@click.option("--dry-run", is_flag=True, help="Only say what would come of it.")
@click.option("--replace", is_flag=True, help="Take the file's version of what differs.")
def import_(
    file: Path, tool: str, passphrase_file: Path | None, dry_run: bool, replace: bool
) -> None:
    """Bring in the settings of FILE: an export, or the configuration of another tool."""
    from holdfast.cli.portable import bring_in

    sys.exit(bring_in(file, tool, passphrase_file, dry_run=dry_run, replace=replace))


@main.command()
@click.option(
    "--from",
    "repositories",
    multiple=True,
    required=True,
    metavar="REPOSITORY",
    help="As restic writes it: /path, s3:https://host/bucket/prefix or sftp:user@host:/path; "
    "may be given again.",
)
@click.option(
    "--password-file",
    type=FILE,
    multiple=True,
    help="The repository's password, one file for each --from; otherwise you are asked.",
)
@click.option("--sftp-key", type=FILE, help="The private key for SFTP servers.")
@click.option("--sftp-password-file", type=FILE, help="The password for SFTP servers.")
@click.option(
    "--sftp-host-key",
    default="",
    metavar="KEY",
    help="What the server must show, a public key or SHA256:…; otherwise the first is trusted.",
)
def rebuild(
    repositories: tuple[str, ...],
    password_file: tuple[Path, ...],
    sftp_key: Path | None,
    sftp_password_file: Path | None,
    sftp_host_key: str,
) -> None:
    """Bring apps, settings and history back from the repositories alone.

    For an empty instance, after the loss of the database.  S3 keys are taken from
    AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    """
    from holdfast.cli.rebuild import first_line
    from holdfast.cli.rebuild import rebuild as run_rebuild
    from holdfast.cli.repositories import SftpLogin

    login = SftpLogin(
        private_key="" if sftp_key is None else sftp_key.read_text(encoding="utf-8"),
        password="" if sftp_password_file is None else first_line(sftp_password_file),
        host_key=sftp_host_key,
    )
    sys.exit(run_rebuild(repositories, password_file, login))


@main.command()
def doctor() -> None:
    """Say what is there, what is missing, and the command that mends it."""
    from holdfast.cli.doctor import run

    sys.exit(run())


@main.command("rotate-password")
@click.argument("destination")
def rotate_password(destination: str) -> None:
    """Give a destination's repository a new password; DESTINATION is a name or an id."""
    from holdfast.cli.commands import rotate_password as run_rotation

    sys.exit(run_rotation(destination))


@main.command(hidden=True)
def contracts() -> None:
    """Write the generated contracts (proto-events/, docs/reference/openapi.json) anew."""
    from holdfast.cli.contracts import write

    write(Path.cwd())
