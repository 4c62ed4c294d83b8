"""``holdfast``: one command, and one file below it for each thing it does."""

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click

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


DATA = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where Holdfast keeps its own things. [HOLDFAST_DATA, or ~/.local/share/holdfast]",
)


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
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--file", "files", multiple=True, help="Only this path; may be given again.")
@click.option("--overwrite", is_flag=True, help="Replace files that are there and differ.")
def restore(snapshot: str, target: Path, files: tuple[str, ...], overwrite: bool) -> None:
    """Bring SNAPSHOT (an id, or 'latest:APP') back below TARGET."""
    from holdfast.cli.commands import restore as run_restore

    sys.exit(run_restore(snapshot, target.absolute(), files, overwrite=overwrite))


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
def heal(destination: str) -> None:
    """Repair DESTINATION (a name or an id) with what other destinations have."""
    from holdfast.cli.commands import heal as run_heal

    sys.exit(run_heal(destination))


@main.command()
def status() -> None:
    """Show how well everything is protected."""
    from holdfast.cli.commands import status as run_status

    sys.exit(run_status())


@main.command()
def doctor() -> None:
    """Say what is there, what is missing, and the command that mends it."""
    from holdfast.cli.doctor import run

    sys.exit(run())


@main.command(hidden=True)
def contracts() -> None:
    """Write the generated contracts (proto-events/, docs/reference/openapi.json) anew."""
    from holdfast.cli.contracts import write

    write(Path.cwd())
