"""``holdfast recovery-kit`` and ``holdfast keys``."""

import asyncio
import sys
from pathlib import Path

import click

from holdfast.cli.options import DATA, PASSPHRASE_FILE


@click.group("recovery-kit", invoke_without_command=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write it; JSON if it ends in .json. [holdfast-recovery-kit.html]",
)
@PASSPHRASE_FILE
@click.option("--no-passphrase", is_flag=True, help="Do not lock it, and do not ask.")
@click.pass_context
def recovery_kit(
    context: click.Context, out: Path | None, passphrase_file: Path | None, no_passphrase: bool
) -> None:
    """Write a page to print: all that brings the backups back without Holdfast."""
    if context.invoked_subcommand is not None:
        return
    from holdfast.cli.recovery import DEFAULT, make, passphrase_from

    passphrase = None
    if not no_passphrase:
        question = "Passphrase to lock it with (Enter for none)"
        passphrase = passphrase_from(passphrase_file, question, new=True)
    sys.exit(make(out or DEFAULT, passphrase))


@recovery_kit.command("open")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@PASSPHRASE_FILE
def open_kit(file: Path, passphrase_file: Path | None) -> None:
    """Print what is in a locked kit; a browser does the same with the page."""
    from holdfast.cli.recovery import passphrase_from, unlock
    from holdfast.secretbox.errors import EmptyPassphraseError

    passphrase = passphrase_from(passphrase_file, "Passphrase", new=False)
    if passphrase is None:
        raise EmptyPassphraseError
    sys.exit(unlock(file, passphrase))


@click.group()
def keys() -> None:
    """What opens the stored secrets, and changing it. Runs where the catalog runs."""


@keys.command("status")
@DATA
def keys_status(data: Path | None) -> None:
    """Show the master key's kind and age, and how much it opens."""
    from holdfast.cli.keys import status
    from holdfast.cli.up import settings_for

    sys.exit(asyncio.run(status(settings_for(data, None))))


@keys.command("rotate")
@DATA
@click.option(
    "--to",
    type=click.Choice(["file", "passphrase", "pkcs11"]),
    required=True,
    help="Where the new master key comes from.",
)
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --to file: where it is to be. [where the settings have it]",
)
@PASSPHRASE_FILE
@click.option(
    "--module",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="With --to pkcs11: the library of the hardware token.",
)
@click.option("--token", default="holdfast", show_default=True, help="The token's label.")
@click.option("--key", default="holdfast", show_default=True, help="The label of the key in it.")
@click.option(
    "--pin-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The PIN is the file's first line; without it you are asked.",
)
def keys_rotate(
    data: Path | None,
    to: str,
    key_file: Path | None,
    passphrase_file: Path | None,
    module: Path | None,
    token: str,
    key: str,
    pin_file: Path | None,
) -> None:
    """Let a new master key open everything; the old one does until 'keys finish'."""
    from holdfast.cli.keys import Wanted, change, new_source
    from holdfast.cli.up import settings_for

    settings = settings_for(data, None)
    wanted = Wanted(
        kind=to,
        key_file=key_file,
        passphrase_file=passphrase_file,
        module=module,
        token=token,
        key=key,
        pin_file=pin_file,
    )
    sys.exit(asyncio.run(change(settings, *new_source(settings, wanted))))


@keys.command("finish")
@DATA
@click.option("--delete-old-file", is_flag=True, help="Delete key files that open nothing now.")
def keys_finish(data: Path | None, delete_old_file: bool) -> None:
    """Let only the master key that the settings name open the secrets."""
    from holdfast.cli.keys import end
    from holdfast.cli.up import settings_for

    sys.exit(asyncio.run(end(settings_for(data, None), delete_old_file=delete_old_file)))
