"""``holdfast destination``: the places backups go."""

import sys
from pathlib import Path

import click


@click.group()
def destination() -> None:
    """List, add, test, protect and remove the places backups go."""


@destination.command("list")
def destination_list() -> None:
    """List destinations by name."""
    from holdfast.cli.destinations import list_all

    sys.exit(list_all())


@destination.command("add-sftp")
@click.argument("name")
@click.argument("host")
@click.argument("user")
@click.argument("path")
@click.option("--port", default=22, show_default=True, type=click.IntRange(1, 65535))
@click.option("--private-key", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--ask-passphrase", is_flag=True, help="Ask for the private key's passphrase.")
@click.option("--host-key", default="", help="A public key or its SHA256 fingerprint.")
def destination_add_sftp(
    name: str,
    host: str,
    user: str,
    path: str,
    port: int,
    private_key: Path | None,
    ask_passphrase: bool,
    host_key: str,
) -> None:
    """Add PATH on HOST; without a private key the password is asked for.

    Without --host-key the key that HOST shows now is trusted and pinned.
    """
    from holdfast.cli.destinations import add_sftp

    passphrase = click.prompt("Passphrase", hide_input=True) if ask_passphrase else ""
    password = "" if private_key else click.prompt("Password", hide_input=True)
    sys.exit(
        add_sftp(
            name,
            host,
            user,
            path,
            port=port,
            password=password,
            private_key=private_key,
            passphrase=passphrase,
            host_key=host_key,
        )
    )


@destination.command("test")
@click.argument("name")
def destination_test(name: str) -> None:
    """Test whether NAME (or its id) is reached and its repository opens."""
    from holdfast.cli.destinations import test

    sys.exit(test(name))


@destination.command("remove")
@click.argument("name")
@click.option("--detach", is_flag=True, help="Take it out of the policies that use it.")
def destination_remove(name: str, detach: bool) -> None:
    """Take NAME (or its id) out of use; its data stays where it is."""
    from holdfast.cli.destinations import remove

    sys.exit(remove(name, detach=detach))


@destination.command("policy")
@click.argument("name")
@click.option("--principal", required=True, help="Whose the everyday key is, as S3 names it.")
def destination_policy(name: str, principal: str) -> None:
    """Print a bucket policy under which the everyday key cannot delete."""
    from holdfast.cli.destinations import policy

    sys.exit(policy(name, principal))


@destination.command("undelete")
@click.argument("name")
@click.option("--since", required=True, metavar="TIME", help="Just before it happened.")
def destination_undelete(name: str, since: str) -> None:
    """Bring back what somebody deleted or overwrote in a bucket that keeps versions."""
    from holdfast.cli.destinations import undelete

    sys.exit(undelete(name, since))
